/**
 * @file Softmax and its logarithm, in the forms that neither overflow nor lose small probabilities: the row's maximum is
 * subtracted before anything is exponentiated.
 */

import { checkCount } from "./check.ts";

/** ln Σ exp(values); −∞ for no values. */
export function logSumExp(values: ArrayLike<number>): number {
  let max = -Infinity;
  for (let index = 0; index < values.length; index++) max = Math.max(max, values[index]!);
  if (max === -Infinity) return -Infinity;
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += Math.exp(values[index]! - max);
  return max + Math.log(sum);
}

/**
 * Row-wise ln softmax(`logits` / `temperature`). `logits`: row-major `[n, k]`, nats. Returns a new `[n, k]`.
 * @throws RangeError if `k` does not divide the length, or the temperature is not positive
 */
export function logSoftmax(logits: ArrayLike<number>, k: number, temperature = 1): Float64Array {
  checkRows(logits, k);
  if (!(temperature > 0)) throw new RangeError(`temperature must be positive, got ${temperature}`);
  const result = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += k) writeRow(result, logits, { start, k, temperature });
  return result;
}

/** Row-wise softmax(`logits` / `temperature`); shapes and errors as `logSoftmax`. Each row sums to 1. */
export function softmax(logits: ArrayLike<number>, k: number, temperature = 1): Float64Array {
  const result = logSoftmax(logits, k, temperature);
  for (let index = 0; index < result.length; index++) result[index] = Math.exp(result[index]!);
  return result;
}

/** Index of the largest value of each row of `[n, k]`; the first one among equals. */
export function argmaxRows(values: ArrayLike<number>, k: number): Int32Array {
  checkRows(values, k);
  const result = new Int32Array(values.length / k);
  for (let row = 0; row < result.length; row++) {
    let best = 0;
    for (let column = 1; column < k; column++) if (values[row * k + column]! > values[row * k + best]!) best = column;
    result[row] = best;
  }
  return result;
}

type RowPlace = { readonly start: number; readonly k: number; readonly temperature: number };

function writeRow(result: Float64Array, logits: ArrayLike<number>, { start, k, temperature }: RowPlace): void {
  let max = -Infinity;
  for (let index = start; index < start + k; index++) max = Math.max(max, logits[index]!);
  let sum = 0;
  for (let index = start; index < start + k; index++) {
    const scaled = (logits[index]! - max) / temperature;
    result[index] = scaled;
    sum += Math.exp(scaled);
  }
  const logSum = Math.log(sum);
  for (let index = start; index < start + k; index++) result[index]! -= logSum;
}

function checkRows(values: ArrayLike<number>, k: number): void {
  checkCount("k", k, 1);
  if (values.length % k !== 0) throw new RangeError(`${values.length} values do not fill rows of ${k}`);
}
