/**
 * @file What a split says of a student: its logits and the labels that they are held against. The split's role is part of
 * the type, so that fitting on certify rows, or certifying on calibrate rows, does not compile.
 */

import { argmaxRows } from "../math/softmax.ts";
import type { Calibrator, RowId } from "../records.ts";
import { applyCalibrator } from "./calibrator.ts";

/** Rows of `calibrate` shape the confidence and the grid of thresholds; rows of `certify` choose among them, once. */
export type Role = "calibrate" | "certify";

export type Evidence<R extends Role> = {
  readonly role: R;
  readonly rowIds: readonly RowId[];
  readonly k: number;
  /** `[n, k]`, row-major, nats, uncalibrated; of a student that was not trained on these rows. */
  readonly logits: Float32Array;
  /** `[n]`: class index, or −1 for a label that the student does not know (whatever it answers is wrong). */
  readonly reference: Int32Array;
};

/** Evidence seen through a frozen calibrator. */
export type Scores<R extends Role> = {
  readonly role: R;
  /** `[n]`: the score that thresholds are compared with. Calibrated confidence in [0, 1], or −1 (`src/deferral.ts`). */
  readonly score: Float64Array;
  /** `[n]`: 1 where the student's class is the reference label, else 0. */
  readonly correct: Uint8Array;
};

/** @throws RangeError if shapes do not match, a logit is not finite, or a reference is no class */
export function evidence<R extends Role>(role: R, rows: Omit<Evidence<R>, "role">): Evidence<R> {
  const { rowIds, k, logits, reference } = rows;
  const n = rowIds.length;
  if (logits.length !== n * k || reference.length !== n) {
    throw new RangeError(
      `${role}: ${n} rows of ${k} classes, but ${logits.length} logits, ${reference.length} references`,
    );
  }
  const bad = logits.findIndex((logit) => !Number.isFinite(logit));
  if (bad >= 0)
    throw new RangeError(`${role}: row ${rowIds[Math.floor(bad / k)]} class ${bad % k}: logit ${logits[bad]}`);
  const unknown = reference.findIndex((label) => label < -1 || label >= k);
  if (unknown >= 0)
    throw new RangeError(`${role}: row ${rowIds[unknown]}: reference ${reference[unknown]} of ${k} classes`);
  return { role, rowIds, k, logits, reference };
}

/** Applies a calibrator that these rows had no part in (certify), or that was fitted on them (calibrate). */
export function scoresOf<R extends Role>(
  calibrator: Calibrator,
  { role, logits, k, reference }: Evidence<R>,
): Scores<R> {
  const { confidence, predicted } = applyCalibrator(calibrator, logits, k);
  return { role, score: confidence, correct: correctness(predicted, reference) };
}

/** `[n]`: 1 where the student's first choice is the reference. No calibrator changes the first choice. */
export function correctOf({ logits, k, reference }: Evidence<Role>): Uint8Array {
  return correctness(argmaxRows(logits, k), reference);
}

function correctness(predicted: Int32Array, reference: Int32Array): Uint8Array {
  return Uint8Array.from(predicted, (label, row) => Number(label === reference[row]));
}
