/** @file Quantiles by linear interpolation between order statistics (type 7 of Hyndman & Fan 1996; NumPy's default). */

import { checkFinite, checkShare } from "./check.ts";

/** The `q`-quantile of `values`, which need not be sorted. @throws RangeError for no values, or one that is not finite */
export function quantile(values: ArrayLike<number>, q: number): number {
  return quantiles(values, [q])[0]!;
}

/** Several quantiles for one sort, in the order asked for. */
export function quantiles(values: ArrayLike<number>, qs: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError("a quantile needs at least one value");
  checkFinite("values", values);
  const sorted = Float64Array.from(values).sort();
  return qs.map((q) => quantileOfSorted(sorted, q));
}

/** As `quantile`, for ascending values. */
export function quantileOfSorted(sorted: ArrayLike<number>, q: number): number {
  checkShare("q", q);
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return low + (position - below) * (high - low);
}
