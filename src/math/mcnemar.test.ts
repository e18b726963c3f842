import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { compareCorrectness, mcNemarMidP } from "./mcnemar.ts";
import { holm, resolutionFloor } from "./multiple-tests.ts";

describe("McNemar's mid-p", () => {
  test("agrees with exact p minus the point probability, by SciPy", () => {
    const golden = readGolden<{ b: number; c: number; p: number }[]>("math-mcnemar");
    for (const { b, c, p } of golden.cases) {
      expectClose(mcNemarMidP(b, c).p, p, golden);
      expectClose(mcNemarMidP(c, b).p, p, golden);
    }
  });

  test("counts only rows on which the two differ", () => {
    const { onlyFirst, onlySecond } = compareCorrectness([1, 1, 0, 0, 1], [1, 0, 1, 0, 0]);
    expect([onlyFirst, onlySecond]).toEqual([2, 1]);
    expect(() => compareCorrectness([1], [1, 0])).toThrow("1 rows against 2");
  });
});

describe("several tests", () => {
  test("Holm multiplies by what is left and never falls", () => {
    expect(holm([0.01, 0.04, 0.03]).map((p) => Number(p.toFixed(10)))).toEqual([0.03, 0.06, 0.06]);
    expect(holm([0.9, 0.8])).toEqual([1, 1]);
  });

  test("the resolution floor shrinks with the root of n", () => {
    expect(resolutionFloor(0.9, 100)).toBeCloseTo(0.0588, 4);
    expect(resolutionFloor(0.9, 400)).toBeCloseTo(0.0294, 4);
  });
});
