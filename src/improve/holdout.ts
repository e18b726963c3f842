/**
 * @file The frozen uniform holdout: certify rows, which no model is ever trained on. Both models are judged on the same
 * rows against the same reference.
 */

import { applyCalibrator } from "../calibrate/calibrator.ts";
import { certifyRows, type JudgedRow } from "../calibrate/judged-rows.ts";
import { loadHeldOut } from "../calibrate/load-rows.ts";
import { deferralScore } from "../deferral.ts";
import type { ModelCard, Policy, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { promptVersion, type Task } from "../task.ts";
import type { Judged } from "./compare.ts";

/** A model with the policy under which it would serve. */
export type Candidate = {
  readonly card: ModelCard;
  readonly policy: Policy;
  /** It may answer nothing: its certificate is void. */
  readonly isVoid: boolean;
};

type HoldoutOptions = { readonly store: Store; readonly task: Task; readonly signal?: AbortSignal | undefined };

/** The candidates on the rows that all of them have predicted, in id order; their held-out predictions are in the store. */
export async function judgeOnHoldout(
  candidates: readonly Candidate[],
  options: HoldoutOptions,
): Promise<readonly Judged[]> {
  const judged = await Promise.all(candidates.map(async (candidate) => await rowsOf(candidate, options)));
  const shared = sharedIds(judged);
  return candidates.map((candidate, index) => judge(candidate, inOrder(judged[index]!, shared)));
}

async function rowsOf(
  { card, policy }: Candidate,
  { store, task, signal }: HoldoutOptions,
): Promise<ReadonlyMap<RowId, JudgedRow>> {
  const query = { card, committee: policy.committee, promptVersion: promptVersion(task), signal };
  const { certify } = await loadHeldOut(store, query);
  return new Map(certifyRows(certify.rows, task.reference).map((judged) => [judged.row.id, judged]));
}

function sharedIds([first, ...others]: readonly ReadonlyMap<RowId, JudgedRow>[]): readonly RowId[] {
  return [...(first?.keys() ?? [])].filter((id) => others.every((other) => other.has(id))).sort();
}

function inOrder(rows: ReadonlyMap<RowId, JudgedRow>, ids: readonly RowId[]): readonly JudgedRow[] {
  return ids.flatMap((id) => rows.get(id) ?? []);
}

function judge({ card, policy, isVoid }: Candidate, rows: readonly JudgedRow[]): Judged {
  const threshold = isVoid ? Number.POSITIVE_INFINITY : (policy.threshold ?? Number.POSITIVE_INFINITY);
  const k = card.classes.length;
  const logits = new Float32Array(rows.length * k);
  rows.forEach(({ row }, index) => void logits.set(row.logits, index * k));
  const { predicted, confidence } = applyCalibrator(policy.calibrator, logits, k);
  return {
    correct: Uint8Array.from(rows, ({ reference }, index) => Number(card.classes[predicted[index]!] === reference)),
    answers: Uint8Array.from(rows, ({ row }, index) =>
      Number(
        deferralScore({ ...row, value: card.classes[predicted[index]!], confidence: confidence[index]! }, policy) >=
          threshold,
      ),
    ),
  };
}
