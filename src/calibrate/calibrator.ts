/**
 * @file Applies a fitted calibrator: logits in, confidence out. Pure; the same at fitting, certifying and serving.
 *
 * There is one score. `confidence` is the calibrated probability that the student's first choice is right, and it is what
 * a threshold is compared with, for any number of classes (docs/decisions/2026-11-23-deferral-score.md).
 */

import { readIsotonic } from "../math/isotonic.ts";
import type { Calibrator } from "../records.ts";
import { topLabels } from "./top-label.ts";

export type Calibrated = {
  /** `[n]`: the student's class, which no calibrator changes. */
  readonly predicted: Int32Array;
  /** `[n]`, in [0, 1]: how likely that class is right. The deferral score. */
  readonly confidence: Float64Array;
  /**
   * `[n, k]`, rows summing to 1: `confidence` for the predicted class, the rest shared out as the softmax has it. A low
   * confidence may leave another class with more: `predicted` is still what the student answers.
   */
  readonly probabilities: Float64Array;
};

/** `logits`: `[n, k]`, row-major, nats. @throws RangeError if `k` does not divide their number */
export function applyCalibrator(calibrator: Calibrator, logits: ArrayLike<number>, k: number): Calibrated {
  const { predicted, logAll, logP, logRest } = topLabels(logits, k, calibrator.temperature);
  const confidence = logP.map((logP, row) => confidenceOf(calibrator, logP, logRest[row]!));
  const probabilities = logAll.map((logShare, index) => {
    const row = Math.floor(index / k);
    if (index % k === predicted[row]) return confidence[row]!;
    // In logarithms: what the others hold between them underflows long before their ratios do.
    return (1 - confidence[row]!) * Math.exp(logShare - logRest[row]!);
  });
  return { predicted, confidence, probabilities };
}

/** One row, in the shape that a router asks for. */
export function calibrateRow(
  calibrator: Calibrator,
  logits: ArrayLike<number>,
): { readonly top: number; readonly confidence: number; readonly probabilities: Float64Array } {
  const { predicted, confidence, probabilities } = applyCalibrator(calibrator, logits, logits.length);
  return { top: predicted[0]!, confidence: confidence[0]!, probabilities };
}

/** Share of the uncalibrated score in isotonic confidence: plateaus would tie, and a threshold cannot cut a tie. */
const IDENTITY_SHARE = 0.1;

function confidenceOf(calibrator: Calibrator, logP: number, logRest: number): number {
  switch (calibrator.kind) {
    case "temperature":
      return Math.exp(logP);
    case "beta":
      return sigmoid(calibrator.a * logP - calibrator.b * logRest + calibrator.c);
    case "isotonic": {
      const fitted = readIsotonic({ x: calibrator.score, y: calibrator.correctness }, Math.exp(logP));
      return (1 - IDENTITY_SHARE) * fitted + IDENTITY_SHARE * Math.exp(logP);
    }
    default:
      return calibrator satisfies never;
  }
}

const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
