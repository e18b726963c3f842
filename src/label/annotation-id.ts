/**
 * @file The name of one teacher pass over one row. It is the annotation's id, the reservation's id and the idempotency key
 * at once: asking twice, paying twice and recording twice are the same mistake, so one name guards against all three.
 */

import { createHash } from "node:crypto";
import type { RowId } from "../records.ts";

export type TeacherPass = {
  readonly rowId: RowId;
  readonly pass: number;
  readonly promptVersion: string;
};

/** 64 hex digits. The prompt version covers the teacher's model, so it is not hashed again. */
export function teacherAnnotationId({ rowId, pass, promptVersion }: TeacherPass): string {
  return createHash("sha256").update(`teacher/${promptVersion}/${pass}/${rowId}`).digest("hex");
}

/**
 * The key of one request. An answer that came but was useless has been paid for: asking again under its key would only
 * replay it, so each such answer moves on to the next key. Transport failures keep theirs.
 */
export function idempotencyKeyOf(annotationId: string, uselessAnswers: number): string {
  return uselessAnswers === 0 ? annotationId : `${annotationId}-${uselessAnswers}`;
}
