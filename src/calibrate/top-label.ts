/** @file The student's first choice and how much of the softmax it holds, without losing the digits near 1. */

import { argmaxRows, logSoftmax, logSumExp } from "../math/softmax.ts";

export type TopLabels = {
  /** `[n]`: class with the largest logit; the first among equals. */
  readonly predicted: Int32Array;
  /** `[n, k]`: ln softmax. */
  readonly logAll: Float64Array;
  /** `[n]`: ln p and ln(1 − p) of that class at the temperature given, nats, finite. */
  readonly logP: Float64Array;
  readonly logRest: Float64Array;
};

/** `logits`: `[n, k]`, k ≥ 2. */
export function topLabels(logits: ArrayLike<number>, k: number, temperature: number): TopLabels {
  const predicted = argmaxRows(logits, k);
  const logAll = logSoftmax(logits, k, temperature);
  const logP = Float64Array.from(predicted, (top, row) => logAll[row * k + top]!);
  // Summed over the others: 1 − p itself is 0 in float64 as soon as p is within 1e-16 of 1.
  const logRest = Float64Array.from(predicted, (top, row) => {
    return logSumExp(logAll.subarray(row * k, (row + 1) * k).filter((_, c) => c !== top));
  });
  return { predicted, logAll, logP, logRest };
}
