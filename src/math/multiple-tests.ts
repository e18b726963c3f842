/** @file What remains of a p value when several hypotheses were tried, and what a test set can resolve at all. */

import { checkCount, checkShare, checkShares } from "./check.ts";

/** Holm's step-down adjusted p values (Scandinavian Journal of Statistics 6, 1979), in the order given. */
export function holm(p: readonly number[]): number[] {
  checkShares("p", p);
  const order = p.map((_, index) => index).sort((a, b) => p[a]! - p[b]!);
  const adjusted = new Array<number>(p.length).fill(1);
  let running = 0;
  order.forEach((index, rank) => {
    running = Math.max(running, Math.min(1, (p.length - rank) * p[index]!));
    adjusted[index] = running;
  });
  return adjusted;
}

/** Differences in accuracy below 1.96·√(p(1 − p)/n) are noise on `n` rows (SCIENCE D12). */
export function resolutionFloor(accuracy: number, n: number): number {
  checkShare("accuracy", accuracy);
  checkCount("n", n, 1);
  return 1.96 * Math.sqrt((accuracy * (1 - accuracy)) / n);
}
