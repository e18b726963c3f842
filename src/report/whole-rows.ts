/**
 * @file How many rows the students answer whole. One question to the teacher asks every field, so a call is saved only where
 * no field of a row needs it, whether the fields are answered each for itself or together.
 */

import type { FieldScope } from "../fields.ts";
import { proportionEstimate } from "../math/estimate.ts";
import type { Estimate, RowId } from "../records.ts";
import { promptVersion } from "../task.ts";
import { answersOf, collectHeldOut } from "./collect-held-out.ts";
import { chooseSubject } from "./collect-student.ts";

/** Share of held-out rows on which every field would be answered locally; undefined where some field answers nothing. */
export async function wholeRows(scopes: readonly FieldScope[]): Promise<Estimate | undefined> {
  const answered: ReadonlyMap<RowId, boolean>[] = [];
  for (const scope of scopes) {
    const own = await answeredRows(scope);
    if (!own) return undefined;
    answered.push(own);
  }
  const shared = [...answered[0]!.keys()].filter((id) => answered.every((own) => own.has(id)));
  const whole = shared.filter((id) => answered.every((own) => own.get(id)));
  return shared.length === 0 ? undefined : proportionEstimate(whole.length, shared.length);
}

async function answeredRows({ store, task }: FieldScope): Promise<ReadonlyMap<RowId, boolean> | undefined> {
  const subject = await chooseSubject(store, undefined);
  const { policy, voided } = subject ?? {};
  const { threshold } = policy ?? {};
  const isInForce = policy?.certificate && voided === undefined && policy.promptVersion === promptVersion(task);
  if (!subject || !isInForce || threshold === undefined) return undefined;
  const heldOut = await collectHeldOut(store, { ...policy, modelId: subject.card.id });
  const { score } = answersOf(heldOut, subject.card.classes, policy);
  return new Map(heldOut.rowIds.map((id, row) => [id, score[row]! >= threshold]));
}
