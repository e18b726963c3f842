/**
 * @file Unbiased rates from rows that were drawn with unequal, logged probabilities: each counts for the 1/p rows that it
 * stands for.
 *
 * Sources: Hájek (1971); interval for rates by Korn & Graubard, Survey Methodology 24 (1998).
 */

import { clopperPearsonInterval } from "./binomial.ts";
import { checkFinite, checkLength, checkShares } from "./check.ts";
import type { Estimate } from "./estimate.ts";
import { twoSidedZ } from "./normal.ts";

export type HajekData = {
  /** `[n]`: what was observed of each row drawn. */
  readonly values: ArrayLike<number>;
  /** `[n]`, in (0, 1]: the probability with which the row was drawn. */
  readonly propensity: ArrayLike<number>;
};

/** Σ(z/p) / Σ(1/p), with its normal interval by linearisation. `n` counts the rows drawn. */
export function hajekMean(data: HajekData, confidence = 0.95): Estimate {
  const { value, variance } = weightedMean(data);
  const halfWidth = twoSidedZ(confidence) * Math.sqrt(variance);
  return { value, low: value - halfWidth, high: value + halfWidth, n: data.values.length };
}

/**
 * As `hajekMean` for values in [0, 1], with a Clopper–Pearson interval on the effective sample: right also near 0 and 1,
 * where a normal interval collapses.
 */
export function hajekProportion(data: HajekData, confidence = 0.95): Estimate {
  checkShares("values", data.values);
  const { value, variance, kish } = weightedMean(data);
  const n = data.values.length;
  const effective = variance > 0 ? Math.min(n, (value * (1 - value)) / variance) : kish;
  const [low, high] = clopperPearsonInterval(Math.min(effective, value * effective), effective, confidence);
  return { value, low: Math.min(low, value), high: Math.max(high, value), n };
}

function weightedMean({ values, propensity }: HajekData) {
  checkData(values, propensity);
  let [total, sum, squares] = [0, 0, 0];
  for (let row = 0; row < values.length; row++) {
    const weight = 1 / propensity[row]!;
    total += weight;
    sum += weight * values[row]!;
    squares += weight * weight;
  }
  const value = sum / total;
  let spread = 0;
  for (let row = 0; row < values.length; row++) spread += ((values[row]! - value) / propensity[row]!) ** 2;
  return { value, variance: spread / total ** 2, kish: total ** 2 / squares };
}

function checkData(values: ArrayLike<number>, propensity: ArrayLike<number>): void {
  if (values.length === 0) throw new RangeError("an estimate needs at least one row");
  checkLength("propensity", propensity, values.length);
  checkFinite("values", values);
  for (let row = 0; row < propensity.length; row++) {
    const p = propensity[row]!;
    if (!(p > 0 && p <= 1)) throw new RangeError(`propensity[${row}] must lie in (0, 1], got ${p}`);
  }
}
