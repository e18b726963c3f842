/**
 * @file What the teacher is known to say of a row: reused for an identical input, compared with the student by the monitor.
 */

import { createHash } from "node:crypto";
import type { Annotation, LabelValue, RowId, TeacherAnnotation } from "../records.ts";

/** Live traffic is pass 0; labelling's passes are 1, 2, 3. */
export const LIVE_PASS = 0;

export function isTeacherAnnotation(annotation: Annotation): annotation is TeacherAnnotation {
  return annotation.annotator === "teacher";
}

/**
 * The teacher's answer under this prompt version, or its recorded failure where there is no answer: pass 0 first, then the
 * passes of labelling in order (pass 1 asks exactly what live traffic asks). Undefined where it was never asked.
 */
export function teacherVerdict(
  annotations: readonly Annotation[],
  promptVersion: string,
): TeacherAnnotation | undefined {
  const asked = annotations
    .filter(isTeacherAnnotation)
    .filter((annotation) => annotation.promptVersion === promptVersion)
    .sort((a, b) => a.pass - b.pass);
  return asked.find((annotation) => annotation.value !== undefined) ?? asked.find(({ pass }) => pass === LIVE_PASS);
}

/** The latest ruling of a person, or undefined. */
export function personVerdict(annotations: readonly Annotation[]): LabelValue | undefined {
  const rulings = annotations.filter((annotation) => annotation.annotator === "person");
  return rulings.toSorted((a, b) => a.at - b.at).at(-1)?.value;
}

/** The id of live traffic's annotation of a row, and of the reservation of its cost. */
export function liveAnnotationId(rowId: RowId, promptVersion: string): string {
  return createHash("sha256").update(`teacher/${promptVersion}/${LIVE_PASS}/${rowId}`).digest("hex");
}
