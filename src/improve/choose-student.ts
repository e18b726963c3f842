/**
 * @file The student where the task leaves the choice to us: every candidate that the task allows is fitted, all are compared
 * on rows that never certify, and the winner alone goes on to be certified, once.
 */

import { applyCalibrator } from "../calibrate/calibrator.ts";
import type { Student, StudentInput } from "../contracts.ts";
import { quantile } from "../math/quantile.ts";
import { createRng, fork } from "../math/random.ts";
import type { CandidateResult, LabelValue, ModelCard, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { candidatesFor, type StudentCandidate } from "../train/candidates.ts";
import { loadStudent } from "../train/load-student.ts";
import { studentInput } from "../train/predict-held-out.ts";
import { threadsOf } from "../train/threads.ts";
import { type TrainStudentOptions, trainStudent } from "../train/train-student.ts";
import { hasXgboost } from "../xgboost/native.ts";
import { rankCandidates, type Said } from "./rank-candidates.ts";

export type ChosenStudent = {
  readonly card: ModelCard;
  /** Absent where there was nothing to choose. */
  readonly candidates?: readonly CandidateResult[];
};

/** @throws FlywheelError what training throws */
export async function trainChosenStudent(options: TrainStudentOptions): Promise<ChosenStudent> {
  const candidates = candidatesFor(options.task, { hasXgboost });
  const cards: ModelCard[] = [];
  for (const { student } of candidates) {
    cards.push(await trainStudent({ ...options, task: { ...options.task, student } }));
  }
  if (candidates.length === 1) return { card: cards[0]! };
  const results = await compare(candidates, cards, options);
  return { card: cards[results.findIndex(({ chosen }) => chosen)]!, candidates: results };
}

async function compare(
  candidates: readonly StudentCandidate[],
  cards: readonly ModelCard[],
  options: TrainStudentOptions,
): Promise<readonly CandidateResult[]> {
  const { store, task, seed } = options;
  const labels = await comparisonLabels(store, task);
  const logits = await Promise.all(cards.map((card) => logitsOf(store, card, labels)));
  const shared = [...labels.keys()].filter((id) => logits.every((own) => own.has(id))).sort();
  const said = cards.map((card, index) => whatItSaid(card, logits[index]!, { ids: shared, labels }));
  const ranked = rankCandidates(said, task.target, createRng(fork(seed, "choose")));
  const results: CandidateResult[] = [];
  for (const [index, { id, sizeBytes, trainingMs }] of cards.entries()) {
    const p50Ms = await typicalMs(cards[index]!, options);
    const { name } = candidates[index]!;
    results.push({
      name,
      modelId: id,
      ...ranked[index]!,
      sizeBytes,
      trainingMs,
      ...(p50Ms !== undefined && { p50Ms }),
    });
  }
  return results;
}

/** Labels in force of the rows that may choose: uniform, and not of the split that certifies. */
async function comparisonLabels(store: Store, task: Task): Promise<ReadonlyMap<RowId, LabelValue>> {
  const labels = new Map<RowId, LabelValue>();
  for (const split of ["train", "calibrate"] as const) {
    for await (const { row, label } of store.labels.list({ split, kind: task.input })) {
      if (row.uniform) labels.set(row.id, label.value);
    }
  }
  return labels;
}

type Labels = ReadonlyMap<RowId, LabelValue>;

async function logitsOf(store: Store, { id }: ModelCard, labels: Labels): Promise<ReadonlyMap<RowId, Float32Array>> {
  const logits = new Map<RowId, Float32Array>();
  for (const basis of ["out-of-fold", "held-out"] as const) {
    for await (const prediction of store.predictions.ofModel(id, basis)) {
      if (labels.has(prediction.rowId)) logits.set(prediction.rowId, prediction.logits);
    }
  }
  return logits;
}

function whatItSaid(
  { classes }: ModelCard,
  logits: ReadonlyMap<RowId, Float32Array>,
  { ids, labels }: { readonly ids: readonly RowId[]; readonly labels: Labels },
): Said {
  const flat = new Float32Array(ids.length * classes.length);
  ids.forEach((id, row) => void flat.set(logits.get(id)!, row * classes.length));
  const { confidence, predicted } = applyCalibrator({ kind: "temperature", temperature: 1 }, flat, classes.length);
  const correct = Uint8Array.from(ids, (id, row) => Number(classes[predicted[row]!] === labels.get(id)));
  return { score: confidence, correct };
}

const TIMED = 50;

/** Median time of one decision, milliseconds: shown, never chosen by, for it differs from run to run. */
async function typicalMs({ id }: ModelCard, options: TrainStudentOptions): Promise<number | undefined> {
  const { store, task } = options;
  const inputs: StudentInput[] = [];
  for await (const { input } of store.rows.list({ split: "calibrate", kind: task.input })) {
    if (inputs.push(await studentInput(input, store.blobs)) >= TIMED) break;
  }
  if (inputs.length === 0) return undefined;
  await using student = await loadStudent(store.models.folder(id), { threads: threadsOf(options), isTimed: true });
  return quantile(await timesOf(student, inputs), 0.5);
}

async function timesOf(student: Student, inputs: readonly StudentInput[]): Promise<readonly number[]> {
  const times: number[] = [];
  for (const input of inputs) {
    const started = performance.now();
    await student.predictLogits([input]);
    times.push(performance.now() - started);
  }
  return times;
}
