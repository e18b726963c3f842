/** @file What the teacher has already said of an input: an identical request is not paid for again. */

import type { Annotation, RowId, TeacherAnnotation } from "../records.ts";
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

/** The id of live traffic's annotation of a row, and of the reservation of its cost. */
export function liveAnnotationId(rowId: RowId, promptVersion: string): string {
  return teacherAnnotationId({ rowId, pass: LIVE_PASS, promptVersion });
}
