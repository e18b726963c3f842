/** @file Where a number lies among those that were seen: its rank, in [0, 1], and how far outside of them. */

import { checkFinite } from "./check.ts";

/** Numbers seen, as a few of them. */
export type Scale = {
  /** Rising; empty where nothing was seen. */
  readonly knots: Float64Array;
  /** Their ranks among all that were seen, in [0, 1], rising. */
  readonly places: Float64Array;
  /** From the tenth to the ninetieth hundredth; > 0. */
  readonly spread: number;
};

/** Steps between the numbers kept: a rank is exact to less than a hundredth. */
const STEPS = 64;
/** Further out nothing is stranger: 22,000 times the spread. */
export const MOST_OUTSIDE = 10;

/** @throws RangeError for a number that is not finite */
export function scaleOf(seen: Float32Array): Scale {
  checkFinite("seen", seen);
  const sorted = Float64Array.from(seen).sort();
  const last = sorted.length - 1;
  const at = (share: number): number => sorted[Math.round(share * last)] ?? 0;
  const steps = Math.min(STEPS, last);
  const knots = new Float64Array(new Set(Array.from({ length: steps + 1 }, (_, step) => at(step / (steps || 1)))));
  const spread = at(0.9) - at(0.1) || at(1) - at(0) || Math.abs(at(1)) || 1;
  return { knots, places: knots.map((knot) => middleRank(sorted, knot)), spread };
}

/** A value that many share takes the middle of their ranks; the only one there is, one half. */
function middleRank(sorted: Float64Array, value: number): number {
  const first = sorted.indexOf(value);
  const last = firstAbove(sorted, value) - 1;
  return sorted.length === 1 ? 0.5 : (first + last) / 2 / (sorted.length - 1);
}

/**
 * The rank of a number, interpolated between those seen; beyond them it goes on with the logarithm of the distance in spreads,
 * by at most `MOST_OUTSIDE`.
 */
export function placeOf({ knots, places, spread }: Scale, value: number): number {
  const last = knots.length - 1;
  if (last < 0) return 0;
  if (value <= knots[0]!) return places[0]! - outside((knots[0]! - value) / spread);
  if (value >= knots[last]!) return places[last]! + outside((value - knots[last]!) / spread);
  const above = firstAbove(knots, value);
  const share = (value - knots[above - 1]!) / (knots[above]! - knots[above - 1]!);
  return places[above - 1]! + share * (places[above]! - places[above - 1]!);
}

const outside = (spreads: number): number => Math.min(MOST_OUTSIDE, Math.log1p(spreads));

/** By halving; the length where there is none. */
function firstAbove(rising: Float64Array, value: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
