/**
 * @file Decisions that still call for a label of the teacher: audits whose answer has gone out already, and requests that
 * were queued. A record comes with the decision and goes with the annotation, each in the same transaction.
 */

import type { Annotation, Decision } from "../records.ts";
import { isTeacherAnnotation, LIVE_PASS } from "../verdict.ts";
import type { RunNow } from "./database.ts";

/** A uniform request is labelled whatever became of it, or the uniform stream would miss what came during an outage. */
function callsForLabel({ route, degradedTo, uniform }: Decision): boolean {
  return route === "audited" || degradedTo === "queue" || (uniform && degradedTo === "answer-flagged");
}

/** Unless the teacher has spoken since: its answer may be recorded before the decision. */
const insertPending = `insert into pending_labels (field, id, row_id, at)
  select cast(? as text), cast(? as text), cast(? as text), cast(? as bigint) where not exists
    (select 1 from annotations where field = ? and row_id = ? and at >= ? and annotator = 'teacher' and pass = ${LIVE_PASS})`;
const deleteJudged = "delete from pending_labels where field = ? and row_id = ? and at <= ?";

/** Decisions that are new in the store. */
export function notePending(run: RunNow, field: string, decisions: readonly Decision[]): void {
  for (const decision of decisions) {
    if (!callsForLabel(decision)) continue;
    const { id, rowId, at } = decision;
    run(insertPending, [field, id, rowId, at, field, rowId, at]);
  }
}

/** An annotation that is new in the store: the teacher's answer to live traffic, or its failure, is what was waited for. */
export function noteLabelled(run: RunNow, field: string, annotation: Annotation): void {
  if (!isTeacherAnnotation(annotation) || annotation.pass !== LIVE_PASS) return;
  run(deleteJudged, [field, annotation.rowId, annotation.at]);
}
