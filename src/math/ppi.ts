/**
 * @file Prediction-powered inference: few human labels, made to count for more by many cheap predictions of them. Unbiased
 * whatever the predictions are worth; λ* makes it no wider than the human labels alone.
 *
 * Source: Angelopoulos, Duchi & Zrnic, PPI++ (arXiv 2311.01453); conventions (degrees of freedom, where the variance is
 * pooled) as in the authors' `ppi_py`, `ppi_mean_ci`.
 */

import { checkFinite, checkLength } from "./check.ts";
import { type Estimate, meanOf, proportionEstimate, varianceOf } from "./estimate.ts";
import { twoSidedZ } from "./normal.ts";

export type PpiData = {
  /** `[n]`: what people said (1 right, 0 wrong, or any number). */
  readonly human: ArrayLike<number>;
  /** `[n]`: what was predicted of the same rows. */
  readonly predicted: ArrayLike<number>;
  /** `[N]`: what was predicted of rows that no person has seen. */
  readonly predictedOnly: ArrayLike<number>;
};

export type PpiEstimate = Estimate & {
  /** How far the predictions were used: 0 not at all, 1 fully. */
  readonly lambda: number;
  /** Human rows that would give as narrow an interval without predictions. */
  readonly effectiveN: number;
};

/**
 * Mean over the population from which both samples were drawn uniformly. `n` counts the human rows. Normal interval:
 * below about 100 human rows use `ppiProportion`.
 * @throws RangeError unless n ≥ 2 and N ≥ 1
 */
export function ppiMean(data: PpiData, confidence = 0.95): PpiEstimate {
  checkData(data);
  const { human, predicted, predictedOnly } = data;
  const [n, N] = [human.length, predictedOnly.length];
  const lambda = bestLambda(data);
  const rectifier = Float64Array.from({ length: n }, (_, row) => human[row]! - lambda * predicted[row]!);
  const value = lambda * meanOf(predictedOnly) + meanOf(rectifier);
  const variance = (lambda ** 2 * varianceOf(predictedOnly, 0)) / N + varianceOf(rectifier, 0) / n;
  const halfWidth = twoSidedZ(confidence) * Math.sqrt(variance);
  const effectiveN = variance > 0 ? Math.max(n, varianceOf(human, 0) / variance) : n;
  return { value, low: value - halfWidth, high: value + halfWidth, n, lambda, effectiveN };
}

/** Human rows below which a normal interval of a rate near 1 is not to be trusted (SCIENCE §2). */
const LEAST_HUMAN_ROWS = 100;

/**
 * A rate (`human` of 0 and 1), in [0, 1]. Exact Clopper–Pearson on the human rows alone below 100 of them, or where they
 * are unanimous and the normal interval has no width; PPI++ otherwise. `method` says which.
 */
export function ppiProportion(
  data: PpiData,
  confidence = 0.95,
): Estimate & { readonly method: "ppi++" | "clopper-pearson" } {
  checkLength("predicted", data.predicted, data.human.length);
  const n = data.human.length;
  const successes = Math.round(meanOf(data.human) * n);
  const unanimous = successes === 0 || successes === n;
  if (n < LEAST_HUMAN_ROWS || unanimous || data.predictedOnly.length === 0) {
    return { ...proportionEstimate(successes, n, confidence), method: "clopper-pearson" };
  }
  const { value, low, high } = ppiMean(data, confidence);
  return { value: clip(value), low: clip(low), high: clip(high), n, method: "ppi++" };
}

/** λ* = Cov(Y, f) / ((1 + n/N)·Var f), clipped to [0, 1]; variance over all predictions. 0 where they never vary. */
function bestLambda({ human, predicted, predictedOnly }: PpiData): number {
  const [n, N] = [human.length, predictedOnly.length];
  const [meanHuman, meanPredicted] = [meanOf(human), meanOf(predicted)];
  let covariance = 0;
  for (let row = 0; row < n; row++) covariance += (human[row]! - meanHuman) * (predicted[row]! - meanPredicted);
  covariance /= n;
  const pooled = Float64Array.from({ length: n + N }, (_, row) =>
    row < n ? predicted[row]! : predictedOnly[row - n]!,
  );
  const variance = varianceOf(pooled, 1);
  return variance > 0 ? clip(covariance / ((1 + n / N) * variance)) : 0;
}

const clip = (value: number): number => Math.min(1, Math.max(0, value));

function checkData({ human, predicted, predictedOnly }: PpiData): void {
  checkLength("predicted", predicted, human.length);
  if (human.length < 2) throw new RangeError(`PPI needs at least two human rows, got ${human.length}`);
  if (predictedOnly.length < 1) throw new RangeError("PPI needs at least one row without a human label");
  checkFinite("human", human);
  checkFinite("predicted", predicted);
  checkFinite("predictedOnly", predictedOnly);
}
