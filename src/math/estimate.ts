/**
 * @file Estimates: a value never travels without its interval and the number of rows behind it.
 */

import { clopperPearsonInterval } from "./binomial.ts";
import { checkFinite, checkSuccesses } from "./check.ts";
import { twoSidedZ } from "./normal.ts";

/** A value with its interval (95 % unless said otherwise) and the number of rows behind it. */
export type Estimate = { readonly value: number; readonly low: number; readonly high: number; readonly n: number };

/**
 * A rate with its exact Clopper–Pearson interval: never too narrow, and right at 0 and 1, where the rates that matter
 * here live. (Wilson's is narrower but undercovers there.)
 * @throws RangeError for no trials: a rate of nothing has no value
 */
export function proportionEstimate(successes: number, n: number, confidence = 0.95): Estimate {
  checkSuccesses(successes, n);
  if (n === 0) throw new RangeError("a proportion needs at least one trial");
  const [low, high] = clopperPearsonInterval(successes, n, confidence);
  return { value: successes / n, low, high, n };
}

/**
 * A mean with its normal interval mean ± z·s/√n (sample deviation, n − 1).
 * @throws RangeError for fewer than two values, which have no deviation
 */
export function meanEstimate(values: ArrayLike<number>, confidence = 0.95): Estimate {
  const n = values.length;
  if (n < 2) throw new RangeError(`the interval of a mean needs at least two values, got ${n}`);
  checkFinite("values", values);
  const mean = meanOf(values);
  const halfWidth = twoSidedZ(confidence) * Math.sqrt(varianceOf(values, 1) / n);
  return { value: mean, low: mean - halfWidth, high: mean + halfWidth, n };
}

/** Arithmetic mean; NaN for none. */
export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

/** Σ(x − mean)² / (n − `lostDegrees`), in two passes: the one-pass form cancels. */
export function varianceOf(values: ArrayLike<number>, lostDegrees: 0 | 1): number {
  const mean = meanOf(values);
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index]! - mean) ** 2;
  return sum / (values.length - lostDegrees);
}
