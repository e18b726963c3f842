/** @file Reads what the store knows of a model on the two splits that it was not trained on. */

import { heldOutUnder } from "../committee.ts";
import { FlywheelError } from "../errors.ts";
import type { Committee, LabelValue, ModelCard, Prediction, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { wordsOf } from "../verdict.ts";
import { type Evidence, evidence, type Role } from "./evidence.ts";

/** A uniform row of one split: what the student, the teacher and people say of it. */
export type HeldOutRow = {
  readonly id: RowId;
  readonly logits: Float32Array;
  /** As in `Prediction`. */
  readonly novelty?: number | undefined;
  /** Of the committee asked for. */
  readonly dissent?: number | undefined;
  /** Whether the teacher was asked under this prompt version or any person ruled. */
  readonly isJudged: boolean;
  readonly teacher: LabelValue | undefined;
  readonly person: LabelValue | undefined;
};

export type HeldOut = {
  /** In id order, which is that of a hash: any prefix and any stride is a uniform sample. */
  readonly rows: readonly HeldOutRow[];
  /** Judged uniform rows of the split for which the model left no prediction. */
  readonly withoutPrediction: number;
};

export type CalibrationStore = Pick<Store, "rows" | "annotations" | "models" | "predictions" | "policies">;

type Query = {
  readonly card: ModelCard;
  readonly promptVersion: string;
  /** Whose dissent is wanted. */
  readonly committee?: Committee | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * When the monitor last voided a policy of this workspace; 0 where it never did. Certify rows from before describe a stream
 * that is no more: only later ones may certify.
 */
export async function lastAlarmAt({ models, policies }: CalibrationStore): Promise<number> {
  let last = 0;
  for (const { id } of await models.list()) {
    for (const policy of await policies.ofModel(id)) last = Math.max(last, (await policies.voided(policy.id))?.at ?? 0);
  }
  return last;
}

/** @throws FlywheelError `predictions_missing` if the model left none on either split */
export async function loadHeldOut(store: CalibrationStore, query: Query): Promise<{ readonly [R in Role]: HeldOut }> {
  const calibrate = await uniformIds(store, "calibrate");
  const certify = await uniformIds(store, "certify", await lastAlarmAt(store));
  const predictions = await heldOutPredictions(store, new Set([...calibrate, ...certify]), query);
  const words = await judgements(store, new Set([...calibrate, ...certify]), query);
  const heldOut = (ids: readonly RowId[]): HeldOut => ({
    rows: ids.flatMap((id) => {
      const predicted = predictions.get(id);
      const said = words.get(id) ?? { isJudged: false, teacher: undefined, person: undefined };
      if (!predicted) return [];
      const { logits, novelty, dissent } = predicted;
      return [{ id, logits, novelty, dissent, ...said }];
    }),
    withoutPrediction: ids.filter((id) => !predictions.has(id) && words.get(id)?.isJudged).length,
  });
  return { calibrate: heldOut(calibrate), certify: heldOut(certify) };
}

async function uniformIds(store: CalibrationStore, split: Role, since = 0): Promise<readonly RowId[]> {
  const ids: RowId[] = [];
  for await (const { id, createdAt } of store.rows.list({ split, uniform: true })) if (createdAt >= since) ids.push(id);
  return ids;
}

async function heldOutPredictions(
  store: CalibrationStore,
  wanted: ReadonlySet<RowId>,
  { card, committee, signal }: Query,
): Promise<ReadonlyMap<RowId, Prediction>> {
  const predictions = new Map<RowId, Prediction>();
  for await (const prediction of heldOutUnder(store, { modelId: card.id, committee })) {
    signal?.throwIfAborted();
    if (wanted.has(prediction.rowId)) predictions.set(prediction.rowId, prediction);
  }
  if (predictions.size > 0 || wanted.size === 0) return predictions;
  throw new FlywheelError(
    "predictions_missing",
    `model ${card.id} left no predictions on ${wanted.size} held-out rows`,
    {
      hint: "train it again: training ends by predicting the calibrate and certify rows",
    },
  );
}

type Judgement = Pick<HeldOutRow, "isJudged" | "teacher" | "person">;

async function judgements(
  store: CalibrationStore,
  wanted: ReadonlySet<RowId>,
  { promptVersion, signal }: Query,
): Promise<ReadonlyMap<RowId, Judgement>> {
  const words = new Map<RowId, Judgement>();
  for await (const { rowId, annotations } of store.annotations.byRow()) {
    signal?.throwIfAborted();
    if (!wanted.has(rowId)) continue;
    const isJudged = annotations.some((one) => one.annotator === "person" || one.promptVersion === promptVersion);
    words.set(rowId, { isJudged, ...wordsOf(annotations, promptVersion) });
  }
  return words;
}

/** Evidence from the rows that have a reference; a reference outside the student's classes becomes −1. */
export function evidenceFrom<R extends Role>(
  role: R,
  rows: readonly { readonly row: HeldOutRow; readonly reference: LabelValue }[],
  classes: readonly LabelValue[],
): Evidence<R> {
  const logits = new Float32Array(rows.length * classes.length);
  rows.forEach(({ row }, place) => {
    logits.set(row.logits, place * classes.length);
  });
  return evidence(role, {
    rowIds: rows.map(({ row }) => row.id),
    k: classes.length,
    logits,
    reference: Int32Array.from(rows, ({ reference }) => classes.indexOf(reference)),
  });
}
