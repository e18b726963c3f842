import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { classificationReport, confusionMatrix, matthewsCorrelation } from "./classification.ts";
import { createRng } from "./random.ts";

type Case = {
  readonly k: number;
  readonly reference: number[];
  readonly predicted: number[];
  readonly confusion: number[];
  readonly accuracy: number;
  readonly balanced_accuracy: number;
  readonly mcc: number;
  readonly precision: number[];
  readonly recall: number[];
  readonly f1: number[];
  readonly support: number[];
};

describe("classification report", () => {
  const golden = readGolden<Case>("math-classification");
  const { k, reference, predicted, ...wanted } = golden.cases;
  const report = classificationReport({ reference, predicted, k }, { rng: createRng(1), resamples: 200 });

  test("agrees with scikit-learn", () => {
    expect(report.confusion.flat()).toEqual(wanted.confusion);
    expectClose(report.accuracy.value, wanted.accuracy, golden);
    expectClose(report.balancedAccuracy.value, wanted.balanced_accuracy, golden);
    expectClose(report.mcc.value, wanted.mcc, golden);
    for (const measure of ["precision", "recall", "f1"] as const) {
      expectClose(
        report.perClass.map((metrics) => metrics[measure]!.value),
        wanted[measure],
        golden,
      );
    }
    expect(report.perClass.map((metrics) => metrics.support)).toEqual(wanted.support);
  });

  test("every estimate lies in its interval", () => {
    const estimates = [report.accuracy, report.balancedAccuracy, report.mcc, ...report.perClass.map((m) => m.f1!)];
    for (const { value, low, high } of estimates) {
      expect(low).toBeLessThan(value);
      expect(high).toBeGreaterThan(value);
    }
  });

  test("a class that never occurs has no recall; a constant predictor has no correlation", () => {
    const outcomes = { reference: [0, 0, 1], predicted: [0, 0, 0], k: 3 };
    const { perClass } = classificationReport(outcomes, { rng: createRng(1), resamples: 10 });
    expect(perClass[1]!.precision).toBeUndefined();
    expect(perClass[1]!.recall!.value).toBe(0);
    expect(perClass[2]).toEqual({ support: 0, precision: undefined, recall: undefined, f1: undefined });
    expect(matthewsCorrelation(confusionMatrix(outcomes), 3)).toBe(0);
  });

  test("refuses no rows and unknown classes", () => {
    const none = { reference: [], predicted: [], k: 2 };
    expect(() => classificationReport(none, { rng: createRng(1) })).toThrow(RangeError);
    expect(() => confusionMatrix({ reference: [0], predicted: [2], k: 2 })).toThrow(
      "predicted[0] must be a class index",
    );
  });
});
