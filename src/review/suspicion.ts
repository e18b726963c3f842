/**
 * @file How strongly the evidence speaks against a label. Each piece of evidence counts as an independent chance that a
 * ruling changes the label; together they are 1 − Π(1 − chance). The chances are rough and only their order matters.
 */

import { confidentLearning } from "../math/confident-learning.ts";
import type { LabelBasis } from "../records.ts";
import type { ReviewReason } from "./review-item.ts";

/** One piece of evidence, with the chance in [0, 1) that a ruling on it changes the label. */
export type Suspicion = { readonly reason: Exclude<ReviewReason, "audit">; readonly chance: number };

/** Two of three passes are right more often than not; without a majority a label is little better than a guess. */
const basisChances: { readonly [B in LabelBasis]: number } = {
  split: 0.75,
  majority: 0.4,
  agreed: 0,
  single: 0,
  person: 0,
};

/** Nothing is known but that the teacher could not answer; the row is of no use until a person does. */
export const noAnswer: Suspicion = { reason: "no-answer", chance: 0.6 };

/** Below this confidence a student that disagrees with its teacher is more likely to be the one that is wrong. */
export const sureConfidence = 0.8;

export function ofBasis(basis: LabelBasis): readonly Suspicion[] {
  return basis === "split" || basis === "majority" ? [{ reason: basis, chance: basisChances[basis] }] : [];
}

/** @param confidence of a student that disagrees with the label in force */
export function ofContradiction(confidence: number): readonly Suspicion[] {
  return confidence >= sureConfidence ? [{ reason: "contradicted", chance: 0.8 * confidence }] : [];
}

/** @param margin in [−1, 1], of confident learning; lower is worse */
export function ofMargin(margin: number): Suspicion {
  return { reason: "doubtful", chance: 0.25 * (1 - margin) };
}

export function together(suspicions: readonly Suspicion[]): number {
  return 1 - suspicions.reduce((doubt, { chance }) => doubt * (1 - chance), 1);
}

/** SCIENCE D6: the worst 2 % or 50 rows, whichever is more. */
const doubtfulShare = 0.02;
const doubtfulRows = 50;

/**
 * The rows with the worst margins, where another label is likelier than the one in force, worst first.
 * @param labels `[n]` class indices @param probabilities `[n, k]` of a student that was not trained on the rows
 */
export function doubtful(
  labels: Int32Array,
  probabilities: Float64Array,
  k: number,
): readonly { readonly index: number; readonly margin: number }[] {
  if (labels.length === 0) return [];
  const { margin } = confidentLearning(labels, probabilities, k);
  const atMost = Math.max(doubtfulRows, Math.ceil(doubtfulShare * labels.length));
  return Array.from(margin, (value, index) => ({ index, margin: value }))
    .filter((row) => row.margin < 0)
    .sort((a, b) => a.margin - b.margin || a.index - b.index)
    .slice(0, atMost);
}
