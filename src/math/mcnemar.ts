/**
 * @file McNemar's test in its mid-p form: does one of two models answer more rows rightly? Only rows on which they differ
 * carry evidence.
 *
 * Source: Fagerland, Lydersen & Laake, BMC Medical Research Methodology 13:91 (2013), who recommend it over the exact
 * (too cautious) and the asymptotic (too bold) test.
 */

import { binomialCdf } from "./binomial.ts";
import { checkCount } from "./check.ts";

export type McNemar = {
  /** Rows that only the first, and only the second, got right. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Two-sided mid-p value. Small: the two differ. 1 where they never differ. */
  readonly p: number;
};

/** @param onlyFirst rows right by the first alone @param onlySecond rows right by the second alone */
export function mcNemarMidP(onlyFirst: number, onlySecond: number): McNemar {
  checkCount("onlyFirst", onlyFirst);
  checkCount("onlySecond", onlySecond);
  const [fewer, discordant] = [Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond];
  // 2·[P(X < fewer) + ½·P(X = fewer)] without forming the small difference.
  const p = discordant === 0 ? 1 : binomialCdf(fewer, discordant, 0.5) + binomialCdf(fewer - 1, discordant, 0.5);
  return { onlyFirst, onlySecond, p: Math.min(1, p) };
}

/** From what each of two models got right, `[n]` of 0 and 1. */
export function compareCorrectness(first: ArrayLike<number>, second: ArrayLike<number>): McNemar {
  if (first.length !== second.length) throw new RangeError(`${first.length} rows against ${second.length}`);
  let [onlyFirst, onlySecond] = [0, 0];
  for (let row = 0; row < first.length; row++) {
    if (first[row]! > second[row]!) onlyFirst++;
    else if (first[row]! < second[row]!) onlySecond++;
  }
  return mcNemarMidP(onlyFirst, onlySecond);
}
