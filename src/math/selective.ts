/**
 * @file Does confidence rank right answers above wrong ones? The risk–coverage curve and what summarises it. Ranking, not
 * calibration, decides whether a cascade can work at all.
 *
 * Sources: El-Yaniv & Wiener, JMLR 11 (2010); Geifman, Uziel & El-Yaniv, ICLR 2019 (AURC). Equal scores are averaged over
 * their orders, so that nothing here depends on the order of the rows.
 */

import { type BootstrapOptions, bootstrapEstimate } from "./bootstrap.ts";
import { checkFinite, checkLength, checkShares } from "./check.ts";
import type { Estimate } from "./estimate.ts";

export type Scored = {
  /** `[n]`; higher is more confident. */
  readonly score: ArrayLike<number>;
  /** `[n]`: 1 right, 0 wrong. */
  readonly correct: ArrayLike<number>;
};

export type RiskCoveragePoint = {
  /** Rows with at least this score are answered. */
  readonly threshold: number;
  readonly accepted: number;
  readonly errors: number;
  readonly coverage: number;
  readonly risk: number;
};

/** One point for each distinct score, strictest first. */
export function riskCoverageCurve(scored: Scored): RiskCoveragePoint[] {
  const { score, correct } = sortByScore(scored);
  const points: RiskCoveragePoint[] = [];
  let errors = 0;
  for (let row = 0; row < score.length; row++) {
    errors += 1 - correct[row]!;
    if (score[row] === score[row + 1]) continue;
    const accepted = row + 1;
    const [coverage, risk] = [accepted / score.length, errors / accepted];
    points.push({ threshold: score[row]!, accepted, errors, coverage, risk });
  }
  return points;
}

export type SelectiveSummary = {
  /** Area under the risk–coverage curve: mean risk over all coverages. Lower is better. */
  readonly aurc: Estimate;
  /** P(a right row scores above a wrong one). ½ is chance. Undefined where all rows are right, or all wrong. */
  readonly auroc: Estimate | undefined;
  /** Share of all errors among the least confident fifth of rows. 0.2 is chance. Undefined where there are none. */
  readonly errorShareInLeastConfident: Estimate | undefined;
};

/** All three with bootstrap intervals. @throws RangeError for no rows */
export function selectiveSummary(scored: Scored, options: BootstrapOptions): SelectiveSummary {
  const sorted = sortByScore(scored);
  const overRows = (measure: (sorted: Sorted, rows: Int32Array) => number) =>
    bootstrapEstimate(sorted.score.length, (rows) => measure(sorted, rows), options);
  const hasErrors = sorted.correct.includes(0);
  return {
    aurc: overRows(aurcOf),
    auroc: hasErrors && sorted.correct.includes(1) ? overRows(aurocOf) : undefined,
    errorShareInLeastConfident: hasErrors ? overRows(errorShareOf) : undefined,
  };
}

/** Share of the rows counted as least confident (SCIENCE D1). */
const LEAST_CONFIDENT = 0.2;

type Sorted = { readonly score: Float64Array; readonly correct: Float64Array };

/** Most confident first. */
function sortByScore({ score, correct }: Scored): Sorted {
  checkLength("correct", correct, score.length);
  checkFinite("score", score);
  checkShares("correct", correct);
  const order = Array.from({ length: score.length }, (_, row) => row).sort((a, b) => score[b]! - score[a]!);
  return {
    score: Float64Array.from(order, (row) => score[row]!),
    correct: Float64Array.from(order, (row) => correct[row]!),
  };
}

/** Rows of one score among the resampled ones: how many, and how many of them wrong. */
type Tie = { readonly size: number; readonly errors: number };

function ties({ score, correct }: Sorted, rows: Int32Array): Tie[] {
  const found: Tie[] = [];
  for (let place = 0; place < rows.length; ) {
    let [size, errors] = [0, 0];
    const shared = score[rows[place]!];
    for (; place < rows.length && score[rows[place]!] === shared; place++, size++) errors += 1 - correct[rows[place]!]!;
    found.push({ size, errors });
  }
  return found;
}

/** Mean over m = 1 … n of the expected risk of the m most confident rows. */
function aurcOf(sorted: Sorted, rows: Int32Array): number {
  let [accepted, errors, sum] = [0, 0, 0];
  for (const tie of ties(sorted, rows)) {
    for (let taken = 1; taken <= tie.size; taken++) {
      sum += (errors + (tie.errors * taken) / tie.size) / (accepted + taken);
    }
    accepted += tie.size;
    errors += tie.errors;
  }
  return sum / accepted;
}

/** Mann–Whitney: pairs in the right order, half of the tied ones. NaN without errors, or with nothing else. */
function aurocOf(sorted: Sorted, rows: Int32Array): number {
  let [right, wrong, inOrder] = [0, 0, 0];
  for (const { size, errors } of ties(sorted, rows)) {
    inOrder += errors * (right + (size - errors) / 2);
    right += size - errors;
    wrong += errors;
  }
  return inOrder / (right * wrong);
}

function errorShareOf(sorted: Sorted, rows: Int32Array): number {
  let left = LEAST_CONFIDENT * rows.length;
  let [inside, total] = [0, 0];
  for (const { size, errors } of ties(sorted, rows).reverse()) {
    const taken = Math.min(size, left);
    inside += (errors * taken) / size;
    total += errors;
    left -= taken;
  }
  return inside / total;
}
