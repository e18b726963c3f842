import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { proportionEstimate } from "./estimate.ts";
import { ppiMean, ppiProportion } from "./ppi.ts";

type Case = {
  readonly human: number[];
  readonly predicted: number[];
  readonly predicted_only: number[];
  readonly lambda: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
};

describe("prediction-powered inference", () => {
  const golden = readGolden<Case[]>("math-ppi");

  test("agrees with ppi_py's formulae", () => {
    for (const { human, predicted, predicted_only, ...wanted } of golden.cases) {
      const { lambda, value, low, high } = ppiMean({ human, predicted, predictedOnly: predicted_only });
      expectClose([lambda, value, low, high], [wanted.lambda, wanted.value, wanted.low, wanted.high], golden);
    }
  });

  test("good predictions make human rows count for more", () => {
    const { human, predicted, predicted_only } = golden.cases[1]!;
    const { effectiveN, n } = ppiMean({ human, predicted, predictedOnly: predicted_only });
    expect(effectiveN).toBeGreaterThan(1.5 * n);
  });

  test("predictions that never vary are not used", () => {
    const human = Array.from({ length: 120 }, (_, row) => Number(row % 4 > 0));
    const { lambda, value } = ppiMean({ human, predicted: human.map(() => 1), predictedOnly: [1, 1, 1] });
    expect([lambda, value]).toEqual([0, 0.75]);
  });

  test("few or unanimous human rows fall back to the exact interval, and say so", () => {
    const few = { human: [1, 1, 0, 1], predicted: [1, 1, 1, 1], predictedOnly: [1, 0, 1] };
    expect(ppiProportion(few)).toEqual({ ...proportionEstimate(3, 4), method: "clopper-pearson" });
    const unanimous = new Float64Array(150).fill(1);
    const answer = ppiProportion({ human: unanimous, predicted: unanimous, predictedOnly: [1, 0] });
    expect(answer.method).toBe("clopper-pearson");
    expect(answer.low).toBeLessThan(1);
  });

  test("refuses unpaired rows", () => {
    expect(() => ppiMean({ human: [1, 0], predicted: [1], predictedOnly: [1] })).toThrow("must have 2 elements, has 1");
  });
});
