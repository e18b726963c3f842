/**
 * @file What a model says of the rows that it was not trained on: those of calibrate and certify that anybody has judged.
 * Rows that it has spoken of already are left alone, so that it can be run again whenever new labels have come.
 */

import type { Progress, Student, StudentInput } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import type { Input, ModelCard, Prediction, Row, RowId, Split } from "../records.ts";
import type { BlobStore, Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { loadStudent } from "./load-student.ts";
import { threadsOf } from "./threads.ts";

export type PredictHeldOutOptions = {
  readonly store: Pick<Store, "rows" | "blobs" | "annotations" | "labels" | "predictions">;
  readonly task: Task;
  readonly card: ModelCard;
  /** `store.models.folder(card.id)` */
  readonly folder: string;
  readonly threads?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Rows predicted and written at once: what is lost if the process is killed. */
const CHUNK = 64;

/** Writes the missing held-out predictions of `card`, and returns how many it wrote. */
export async function predictHeldOut(options: PredictHeldOutOptions): Promise<number> {
  const { store, folder, progress, signal } = options;
  const rows = await missingRows(options);
  if (rows.length === 0) return 0;
  await using student = await loadStudent(folder, { threads: threadsOf(options) });
  let written = 0;
  for (let first = 0; first < rows.length; first += CHUNK) {
    const chunk = rows.slice(first, first + CHUNK);
    const predictions = await predictRows(student, chunk, options);
    await store.predictions.put(predictions);
    written += predictions.length;
    signal?.throwIfAborted();
    progress?.({ stage: "predict", done: first + chunk.length, total: rows.length });
  }
  return written;
}

const heldOutSplits: readonly Split[] = ["calibrate", "certify"];

async function missingRows({ store, card }: PredictHeldOutOptions): Promise<readonly Row[]> {
  const done = new Set<RowId>();
  for await (const { rowId } of store.predictions.ofModel(card.id, "held-out")) done.add(rowId);
  const judged = await judgedIds(store);
  const rows: Row[] = [];
  for (const split of heldOutSplits) {
    for await (const row of store.rows.list({ split, kind: card.inputKind })) {
      if (judged.has(row.id) && !done.has(row.id)) rows.push(row);
    }
  }
  return rows;
}

/** Rows of any split that have a label in force, or that a teacher or a person has spoken of. */
async function judgedIds({ annotations, labels }: PredictHeldOutOptions["store"]): Promise<ReadonlySet<RowId>> {
  const ids = new Set<RowId>();
  for (const split of heldOutSplits) {
    for await (const { row } of labels.list({ split })) ids.add(row.id);
  }
  for await (const { rowId } of annotations.byRow()) ids.add(rowId);
  return ids;
}

/**
 * A record whose column has changed its type, or whose number no float32 holds. The router escalates such a record, so
 * nothing is predicted of it: what certifies then leaves it out, and warns of rows without a prediction.
 */
const unreadable = ["feature_type_changed", "feature_not_finite"];

async function predictRows(
  student: Student,
  rows: readonly Row[],
  options: PredictHeldOutOptions,
): Promise<readonly Prediction[]> {
  try {
    return await predictReadable(student, rows, options);
  } catch (thrown) {
    if (!FlywheelError.isInstance(thrown) || !unreadable.includes(thrown.code)) throw thrown;
    if (rows.length === 1) return [];
    const oneByOne = await Promise.all(rows.map((row) => predictRows(student, [row], options)));
    return oneByOne.flat();
  }
}

async function predictReadable(
  student: Student,
  rows: readonly Row[],
  { store, card, signal }: PredictHeldOutOptions,
): Promise<readonly Prediction[]> {
  const inputs = await Promise.all(rows.map(({ input }) => studentInput(input, store.blobs)));
  const logits = await student.predictLogits(inputs, signal);
  const novelty = await student.novelty?.(inputs, signal);
  const dissent = await student.committee?.dissent(inputs, signal);
  const { length } = card.classes;
  return rows.map((row, index) => ({
    modelId: card.id,
    rowId: row.id,
    basis: "held-out",
    logits: logits.slice(index * length, (index + 1) * length),
    ...(novelty && { novelty: novelty[index]! }),
    ...(dissent && { dissent: dissent[index]! }),
  }));
}

/** A row's input with its payload loaded. */
export async function studentInput(input: Input, blobs: BlobStore): Promise<StudentInput> {
  if (input.kind !== "image") return input;
  return { kind: "image", bytes: await blobs.get(input.blob), mediaType: input.mediaType };
}
