import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import {
  binCount,
  brierScore,
  confidenceLogLoss,
  expectedCalibrationError,
  logLoss,
  reliabilityBins,
} from "./calibration-error.ts";
import { createRng, shuffle } from "./random.ts";

type Case = {
  readonly k: number;
  readonly probabilities: number[];
  readonly reference: number[];
  readonly confidence: number[];
  readonly correct: number[];
  readonly bins: number;
  readonly ece: number;
  readonly brier: number;
  readonly log_loss: number;
};

const judgedRows = fc.array(
  fc.record({
    confidence: fc.integer({ min: 0, max: 10 }).map((tenth) => tenth / 10),
    correct: fc.integer({ min: 0, max: 1 }),
  }),
  { minLength: 1, maxLength: 200 },
);

describe("calibration error", () => {
  const golden = readGolden<Case>("math-calibration-error");
  const { k, probabilities, reference, confidence, correct, ...wanted } = golden.cases;

  test("ECE, Brier and log loss agree with NumPy and scikit-learn", () => {
    const ece = expectedCalibrationError({ confidence, correct }, { rng: createRng(1), resamples: 200 });
    expect(binCount(confidence.length)).toBe(wanted.bins);
    expectClose(ece.value, wanted.ece, golden);
    expectClose(brierScore(probabilities, reference, k).value, wanted.brier, golden);
    expectClose(logLoss(probabilities, reference, k).value, wanted.log_loss, golden);
    expect(ece.low).toBeLessThan(ece.value);
    expect(ece.high).toBeGreaterThan(ece.value);
  });

  test("bins hold every row once, in order, and part no tie", () => {
    fc.assert(
      fc.property(judgedRows, fc.integer({ min: 1, max: 8 }), (rows, asked) => {
        const bins = reliabilityBins(
          { confidence: rows.map((row) => row.confidence), correct: rows.map((row) => row.correct) },
          asked,
        );
        expect(bins.reduce((sum, bin) => sum + bin.accuracy.n, 0)).toBe(rows.length);
        bins.slice(1).forEach((bin, index) => void expect(bin.low).toBeGreaterThan(bins[index]!.high));
      }),
    );
  });

  test("does not depend on the order of the rows", () => {
    fc.assert(
      fc.property(judgedRows, fc.integer(), (rows, seed) => {
        const ece = (of: typeof rows) =>
          expectedCalibrationError(
            { confidence: of.map((row) => row.confidence), correct: of.map((row) => row.correct) },
            { rng: createRng(0), resamples: 1, bins: 5 },
          ).value;
        expect(ece(shuffle(rows, createRng(seed)))).toBeCloseTo(ece(rows), 10);
      }),
    );
  });

  test("is small for honest confidence and large for boasting", () => {
    const rng = createRng("honest");
    const honest = Float64Array.from({ length: 3000 }, () => 0.5 + rng.next() / 2);
    const right = honest.map((p) => Number(rng.next() < p));
    const options = { rng: createRng("ece"), resamples: 100 };
    expect(expectedCalibrationError({ confidence: honest, correct: right }, options).value).toBeLessThan(0.03);
    const boasting = honest.map(() => 0.99);
    expect(expectedCalibrationError({ confidence: boasting, correct: right }, options).value).toBeGreaterThan(0.2);
    expect(confidenceLogLoss({ confidence: boasting, correct: right })).toBeGreaterThan(
      confidenceLogLoss({ confidence: honest, correct: right }),
    );
  });

  test("certain and wrong costs much, but not everything", () => {
    expect(confidenceLogLoss({ confidence: [1], correct: [0] })).toBeCloseTo(34.5, 1);
  });

  test("refuses probabilities that are none", () => {
    expect(() => brierScore([1.2, -0.2], [0], 2)).toThrow("probabilities[0] must lie in [0, 1], got 1.2");
  });
});
