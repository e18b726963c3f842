/** @file A policy's identity: what it was made from. The same model on the same evidence is the same policy. */

import { createHash } from "node:crypto";
import { type LabelValue, type ModelCard, type PolicyId, policyId, type RowId } from "../records.ts";
import type { Task } from "../task.ts";
import type { Role } from "./evidence.ts";
import type { JudgedRow } from "./judged-rows.ts";
import type { OfferedCommittee } from "./offered-committee.ts";

export type PolicySource = {
  readonly task: Task;
  readonly card: ModelCard;
  readonly promptVersion: string;
  readonly judged: { readonly [R in Role]: readonly JudgedRow[] };
  readonly spending: string;
  /** `noveltyShare`. */
  readonly outOfScope: number;
  /** Absent where the task offers none. */
  readonly offered?: OfferedCommittee | undefined;
};

/** Grows with every change of the procedures that may lead to another policy from the same evidence. */
const FORMAT = 1;

export function policyIdOf({
  task,
  card,
  promptVersion,
  judged,
  spending,
  outOfScope,
  offered,
}: PolicySource): PolicyId {
  const source = {
    format: FORMAT,
    modelId: card.id,
    promptVersion,
    target: task.target,
    reference: task.reference,
    spending,
    calibrate: dataHash(judged.calibrate),
    certify: dataHash(judged.certify),
    ...(outOfScope > 0 && { outOfScope }),
    ...(offered && { offered }),
  };
  return policyId(sha256(JSON.stringify(source)));
}

/** Hash of rows and their reference labels, whatever their order. 64 hex digits. */
export function dataHash(rows: readonly JudgedRow[]): string {
  const lines = rows.map(({ row, reference }) => line(row.id, reference));
  return sha256(lines.sort().join("\n"));
}

/** Quoted, so that no label can imitate another row. */
const line = (id: RowId, label: LabelValue): string => JSON.stringify([id, label]);
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
