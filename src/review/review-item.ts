/** @file What a person is asked to look at, and why. */

import type { LabelValue, ModelId, Row } from "../records.ts";

/**
 * `split`: the teacher's passes found no majority. `majority`: two of three agree. `no-answer`: the teacher never gave a
 * valid answer. `contradicted`: the student, surely, says another label than the one in force. `doubtful`: among the worst
 * margins of confident learning. `audit`: drawn uniformly, whatever anybody thinks of the row.
 */
export const ReviewReason = ["split", "majority", "no-answer", "contradicted", "doubtful", "audit"] as const;
export type ReviewReason = (typeof ReviewReason)[number];

/** What a student made of the row without having been trained on it. */
export type StudentOpinion = { readonly modelId: ModelId; readonly value: LabelValue; readonly confidence: number };

/** One valid answer of the teacher. */
export type TeacherVote = { readonly teacher: string; readonly pass: number; readonly value: LabelValue };

type ItemBase = {
  readonly row: Row;
  /** Of a task of several fields, the one that is to be ruled on. */
  readonly field?: string;
  /** In [0, 1], higher first. An audit's is that of its neighbour: its place says nothing of its row. */
  readonly priority: number;
};

/** Something speaks against the label in force: a ruling is likely to change it. */
export type SuspectItem = ItemBase & {
  readonly kind: "suspect";
  readonly reasons: readonly Exclude<ReviewReason, "audit">[];
  /** The label in force; absent where the teacher gave no answer. */
  readonly suggestion?: LabelValue;
  /** Share of the soft target that the suggestion holds, where there is one. */
  readonly suggestionShare?: number;
  readonly votes: readonly TeacherVote[];
  readonly student?: StudentOpinion;
};

/**
 * Part of the uniform sample: only these rulings may measure or certify. Nobody else's answer is shown with it, for people
 * who see an answer tend to confirm it (STYLE 38).
 */
export type AuditItem = ItemBase & { readonly kind: "audit"; readonly reasons: readonly ["audit"] };

export type ReviewItem = SuspectItem | AuditItem;
