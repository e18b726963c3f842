/**
 * @file The bootstrap of Efron (1979): rows are drawn again with replacement and the statistic is computed anew.
 */

import { checkCount } from "./check.ts";
import type { Estimate } from "./estimate.ts";
import { quantileOfSorted } from "./quantile.ts";
import type { Rng } from "./random.ts";

export type BootstrapOptions = {
  readonly rng: Rng;
  readonly resamples?: number;
  readonly confidence?: number;
};

/**
 * The statistic of rows 0 … n − 1 with its percentile interval. `statistic` receives row indices *in ascending order*,
 * repeated as often as drawn: data sorted once stays sorted in every resample. Resamples on which it is not finite (an
 * AUROC without any error, say) are left out.
 *
 * `centred` shifts the interval by the bootstrap's estimate of bias: for statistics that resampling inflates, such as
 * calibration error, whose plain percentile interval may miss its own value. The interval always contains the value.
 * @throws RangeError if the statistic is not finite on the rows themselves, or on any resample
 */
export function bootstrapEstimate(
  n: number,
  statistic: (rows: Int32Array) => number,
  options: BootstrapOptions & { readonly centred?: boolean },
): Estimate {
  const { rng, resamples = 1000, confidence = 0.95, centred = false } = options;
  checkCount("n", n, 1);
  checkCount("resamples", resamples, 1);
  const value = statistic(Int32Array.from({ length: n }, (_, row) => row));
  if (!Number.isFinite(value)) throw new RangeError(`the statistic of the ${n} rows themselves is ${value}`);
  const drawn = Float64Array.from({ length: resamples }, () => statistic(resample(n, rng)))
    .filter(Number.isFinite)
    .sort();
  if (drawn.length === 0) throw new RangeError(`the statistic is not finite on any of ${resamples} resamples`);
  const bias = centred ? drawn.reduce((sum, next) => sum + next, 0) / drawn.length - value : 0;
  const tail = (1 - confidence) / 2;
  const [low, high] = [quantileOfSorted(drawn, tail) - bias, quantileOfSorted(drawn, 1 - tail) - bias];
  return { value, low: Math.min(low, value), high: Math.max(high, value), n };
}

/** n draws with replacement from 0 … n − 1, ascending: counted, not sorted. */
export function resample(n: number, rng: Rng): Int32Array {
  const counts = new Int32Array(n);
  for (let draw = 0; draw < n; draw++) counts[Math.floor(rng.next() * n)]!++;
  const rows = new Int32Array(n);
  let place = 0;
  for (let row = 0; row < n; row++) for (let copy = counts[row]!; copy > 0; copy--) rows[place++] = row;
  return rows;
}
