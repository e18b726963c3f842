/**
 * @file Is the challenger at most a margin worse than the champion, on the same rows? A bound on the paired difference of
 * two proportions answers; "not significantly different" does not.
 *
 * Source: Tango, Statistics in Medicine 17 (1998), the score interval: right also with few discordant rows, where the
 * normal (Wald) interval collapses to a point.
 */

import { checkCount, checkShare } from "./check.ts";
import type { Estimate } from "./estimate.ts";
import { oneSidedZ } from "./normal.ts";

export type NonInferiority = {
  /** P(challenger right) − P(champion right). `low` is the one-sided bound, so [low, high] holds at 2·confidence − 1. */
  readonly difference: Estimate;
  readonly margin: number;
  readonly isNonInferior: boolean;
};

export type PairedCounts = {
  /** Rows that only the challenger, and only the champion, got right. */
  readonly onlyChallenger: number;
  readonly onlyChampion: number;
  readonly n: number;
};

/** @param options.margin the loss that is tolerated (1 point) @param options.confidence one-sided (95 %) */
export function nonInferiority(
  counts: PairedCounts,
  options: { readonly margin?: number; readonly confidence?: number } = {},
): NonInferiority {
  const { margin = 0.01, confidence = 0.95 } = options;
  checkShare("margin", margin);
  checkPairs(counts);
  const difference = pairedDifference(counts, oneSidedZ(confidence));
  return { difference, margin, isNonInferior: difference.low > -margin };
}

/** From what each got right, `[n]` of 0 and 1. */
export function pairedCounts(challenger: ArrayLike<number>, champion: ArrayLike<number>): PairedCounts {
  if (challenger.length !== champion.length)
    throw new RangeError(`${challenger.length} against ${champion.length} rows`);
  let [onlyChallenger, onlyChampion] = [0, 0];
  for (let row = 0; row < challenger.length; row++) {
    if (challenger[row]! > champion[row]!) onlyChallenger++;
    else if (challenger[row]! < champion[row]!) onlyChampion++;
  }
  return { onlyChallenger, onlyChampion, n: challenger.length };
}

function checkPairs({ onlyChallenger, onlyChampion, n }: PairedCounts): void {
  checkCount("n", n, 1);
  checkCount("onlyChallenger", onlyChallenger);
  checkCount("onlyChampion", onlyChampion);
  if (onlyChallenger + onlyChampion > n) throw new RangeError("more discordant rows than rows");
}

function pairedDifference(counts: PairedCounts, z: number): Estimate {
  const { onlyChallenger, onlyChampion, n } = counts;
  const value = (onlyChallenger - onlyChampion) / n;
  const low = scoreRoot(counts, { target: z, from: -1, to: value });
  const high = scoreRoot(counts, { target: -z, from: value, to: 1 });
  return { value, low, high, n };
}

/** The difference at which Tango's score equals `target`; the score falls as the difference grows. */
function scoreRoot(
  counts: PairedCounts,
  { target, from, to }: { readonly target: number; readonly from: number; readonly to: number },
): number {
  let [low, high] = [from, to];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (tangoScore(counts, middle) > target) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Score statistic of H: difference = delta, in the paper's letters: b, c discordant counts, q21 by equation (2.9). */
function tangoScore({ onlyChallenger: b, onlyChampion: c, n }: PairedCounts, delta: number): number {
  const A = 2 * n;
  const B = -b - c + (2 * n - b + c) * delta;
  const C = -c * delta * (1 - delta);
  const q21 = (Math.sqrt(Math.max(0, B * B - 4 * A * C)) - B) / (2 * A);
  const variance = n * (2 * q21 + delta * (1 - delta));
  const excess = b - c - n * delta;
  return variance > 0 ? excess / Math.sqrt(variance) : excess === 0 ? 0 : Math.sign(excess) * Infinity;
}
