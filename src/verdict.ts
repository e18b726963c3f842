/**
 * @file Whose word counts for a row: what the teacher says over all its passes, what people rule, and on which rows their
 * rulings are a uniform sample. Labels, certificates, the monitor and the report all read annotations through here, so
 * that a row has one verdict.
 */

import { hash } from "node:crypto";
import type { Annotation, LabelBasis, LabelValue, PersonAnnotation, RowId, TeacherAnnotation } from "./records.ts";
import { auditPosition } from "./task.ts";

/** The pass of an answer given to live traffic; labelling's passes are 1, 2, 3. */
export const LIVE_PASS = 0;

/** The id of a teacher's annotation: the same row asked the same question in the same pass is the same judgement. 64 hex digits. */
export function teacherAnnotationId(asked: {
  readonly rowId: RowId;
  readonly pass: number;
  readonly promptVersion: string;
}): string {
  return hash("sha256", `teacher/${asked.promptVersion}/${asked.pass}/${asked.rowId}`);
}

/** An answer of the teacher. */
export type Vote = TeacherAnnotation & { readonly value: LabelValue };

export function isTeacherAnnotation(annotation: Annotation): annotation is TeacherAnnotation {
  return annotation.annotator === "teacher";
}

/**
 * The teacher's valid answers in order of passes. An answer to live traffic counts where labelling has not asked: pass 1
 * asks the very same question, so it would be no second opinion.
 */
export function votesOf(annotations: readonly Annotation[], promptVersion: string): readonly Vote[] {
  const valid = annotations
    .filter(isTeacherAnnotation)
    .filter((annotation): annotation is Vote => annotation.promptVersion === promptVersion && hasValue(annotation))
    .toSorted((a, b) => a.pass - b.pass);
  return valid.some(({ pass }) => pass === 1) ? valid.filter(({ pass }) => pass > LIVE_PASS) : valid;
}

const hasValue = ({ value }: TeacherAnnotation): boolean => value !== undefined;

/** More than half of the votes, else the first; undefined where there is none. */
export function teacherVerdict(votes: readonly Vote[]): LabelValue | undefined {
  const count = (value: LabelValue) => votes.filter((vote) => vote.value === value).length;
  return (votes.find(({ value }) => 2 * count(value) > votes.length) ?? votes[0])?.value;
}

/** How a teacher's verdict came to be. */
export function basisOf(votes: readonly Vote[]): Exclude<LabelBasis, "person"> {
  const verdict = teacherVerdict(votes);
  const agreeing = votes.filter(({ value }) => value === verdict).length;
  if (votes.length === 1) return "single";
  if (agreeing === votes.length) return "agreed";
  return 2 * agreeing > votes.length ? "majority" : "split";
}

/** The last ruling of each person, oldest first. */
export function latestRulings(annotations: readonly Annotation[]): readonly PersonAnnotation[] {
  const byPerson = new Map<string, PersonAnnotation>();
  const rulings = annotations.filter((one) => one.annotator === "person").toSorted((a, b) => a.at - b.at);
  for (const ruling of rulings) byPerson.set(ruling.person, ruling);
  return [...byPerson.values()].toSorted((a, b) => a.at - b.at);
}

/** What most people rule, of `latestRulings`; the latest word among equals; undefined where nobody has ruled. */
export function personVerdict(rulings: readonly PersonAnnotation[]): LabelValue | undefined {
  const count = (value: LabelValue) => rulings.filter((ruling) => ruling.value === value).length;
  const most = Math.max(...rulings.map(({ value }) => count(value)));
  return rulings.findLast(({ value }) => count(value) === most)?.value;
}

/** What each side says of one row. */
export type Words = { readonly teacher: LabelValue | undefined; readonly person: LabelValue | undefined };

export function wordsOf(annotations: readonly Annotation[], promptVersion: string): Words {
  return {
    teacher: teacherVerdict(votesOf(annotations, promptVersion)),
    person: personVerdict(latestRulings(annotations)),
  };
}

/**
 * The rows that people ruled on in the order of audits, up to the first gap: a uniform sample, whatever else was ruled on.
 * Rulings beyond it went to the rows that looked worst and would understate anything that is counted on them.
 */
export function uniformlyRuled<T extends { readonly id: RowId }>(
  rows: readonly T[],
  isRuled: (row: T) => boolean,
): readonly T[] {
  const ordered = rows
    .map((row) => ({ row, position: auditPosition(row.id) }))
    .toSorted((a, b) => a.position - b.position)
    .map(({ row }) => row);
  const gap = ordered.findIndex((row) => !isRuled(row));
  return gap < 0 ? ordered : ordered.slice(0, gap);
}
