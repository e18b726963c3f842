/** @file What the teacher has already said of an input: an identical request is not paid for again. */

import { fieldNames } from "../fields.ts";
import type { Annotation, RowId, TeacherAnnotation } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { isTeacherAnnotation, LIVE_PASS, teacherAnnotationId, teacherVerdict, votesOf } from "../verdict.ts";

/**
 * The first answer that gives the teacher's verdict under this prompt version, or its recorded failure to answer live
 * traffic. Undefined where it was never asked.
 */
export function knownAnswer(annotations: readonly Annotation[], promptVersion: string): TeacherAnnotation | undefined {
  const votes = votesOf(annotations, promptVersion);
  const verdict = teacherVerdict(votes);
  if (verdict !== undefined) return votes.find(({ value }) => value === verdict);
  return annotations
    .filter(isTeacherAnnotation)
    .find((one) => one.promptVersion === promptVersion && one.pass === LIVE_PASS);
}

/** What is known of a row by field; fields of which nothing is known are absent. */
export async function knownAnswers(
  rowId: RowId,
  { store, task, promptVersion }: { readonly store: Store; readonly task: AnyTask; readonly promptVersion: string },
): Promise<Readonly<Record<string, TeacherAnnotation>>> {
  const names = fieldNames(task);
  const annotations = await Promise.all(names.map((name) => store.field(name).annotations.ofRow(rowId)));
  const known = names.map((name, index) => [name, knownAnswer(annotations[index]!, promptVersion)] as const);
  return Object.fromEntries(known.flatMap(([name, answer]) => (answer ? [[name, answer]] : [])));
}

/** The id of live traffic's annotation of a row, and of the reservation of its cost. */
export function liveAnnotationId(rowId: RowId, promptVersion: string): string {
  return teacherAnnotationId({ rowId, pass: LIVE_PASS, promptVersion });
}
