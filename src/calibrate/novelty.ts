/**
 * @file Where the unfamiliar begins. A student is as sure of what lies far from its training data as of what lies near; so
 * the strangest of what it would answer is not answered. Calibrate rows alone place the limit; certify rows then count what
 * lies beyond it as not answered, so that the certificate is about the rule that serves.
 *
 * Source: nearest neighbours for out-of-distribution inputs, Sun et al. (arXiv 2204.06507); the rank among n + 1 as in
 * conformal outlier tests, Bates et al. (arXiv 2104.08279). Here only rows that the student would answer are ranked: a
 * limit on all rows falls mostly on those that are escalated anyway (docs/decisions/2026-11-24-out-of-scope.md).
 */

import { type DeferralRule, deferralScore, keepsTarget } from "../deferral.ts";
import { riskCoverageCurve } from "../math/selective.ts";
import type { LabelValue, NoveltyLimit, Target } from "../records.ts";
import type { Role, Scores } from "./evidence.ts";
import type { JudgedRow } from "./judged-rows.ts";

/** The share of traffic that a policy on these rows may escalate as unfamiliar: 0 where the student has not said how novel each is. */
export function noveltyShare(calibrate: readonly JudgedRow[], share: number): number {
  return calibrate.length > 0 && calibrate.every(({ row }) => row.novelty !== undefined) ? share : 0;
}

export type NoveltyQuestion = {
  readonly scores: Scores<"calibrate">;
  /** `[n]`, ≥ 0: rows as in `scores`. */
  readonly novelty: ArrayLike<number>;
  readonly target: Target;
  /** Of all rows, those that may be lost to the limit. */
  readonly share: number;
};

/** Undefined where the share is 0, or of so few rows none may be lost. */
export function noveltyLimit({ scores, novelty, target, share }: NoveltyQuestion): NoveltyLimit | undefined {
  const n = scores.score.length;
  const most = Math.floor(share * (n + 1));
  if (most === 0) return undefined;
  const answered = rowsLikelyAnswered(scores, target, most);
  const strangestFirst = answered.map((row) => novelty[row]!).sort((a, b) => b - a);
  const limit = strangestFirst[most];
  return limit === undefined ? undefined : { limit, share };
}

/** Those above the loosest threshold that keeps the target on these very rows; all, where these are too few to lose any. */
function rowsLikelyAnswered(scores: Scores<"calibrate">, target: Target, most: number): readonly number[] {
  const n = scores.score.length;
  const kept = riskCoverageCurve(scores).findLast((point) => keepsTarget(target, { ...point, n }));
  const all = [...scores.score.keys()];
  const answered = all.filter((row) => scores.score[row]! >= (kept?.threshold ?? Number.POSITIVE_INFINITY));
  return answered.length > most ? answered : all;
}

/** Scores by the rule that serves, from confidences. */
export function underRule<R extends Role>(
  scores: Scores<R>,
  rows: readonly JudgedRow[],
  rule: DeferralRule,
  values: readonly (LabelValue | undefined)[],
): Scores<R> {
  const score = scores.score.map((confidence, index) =>
    deferralScore({ ...rows[index]?.row, value: values[index], confidence }, rule),
  );
  return { ...scores, score };
}
