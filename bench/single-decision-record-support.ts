/**
 * @file Bar 4, its record half: one decision on a customer of a telephone company in process, by 200 trees of depth 6: fields
 * in, calibrated label out. Beside it Python's XGBoost on the same trees, and ONNX Runtime on the same file, by turns.
 * `single-decision.ts` runs it.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyCalibrator } from "../src/calibrate/calibrator.ts";
import { systemClock } from "../src/clock.ts";
import { quantiles } from "../src/math/quantile.ts";
import { openSession } from "../src/onnx/session.ts";
import { floats } from "../src/onnx/tensor.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { defineTask } from "../src/task.ts";
import { loadRecordStudent, type RecordStudent } from "../src/train/record/load-record-student.ts";
import { boosterFile } from "../src/train/record/record-files.ts";
import { described } from "../src/train/record/training-table.ts";
import { encodeDense, type Vectors } from "../src/train/record/vectors.ts";
import { trainStudent } from "../src/train/train-student.ts";
import { type Peer, startPeer } from "./python-support.ts";
import type { Latency } from "./single-decision-text-support.ts";
import { type Customer, putCustomers, readCustomers } from "./telco-support.ts";

const rounds = 40;
const perRound = 100;
const peerPerRound = 20;
const warmUp = 2000;

export type RecordDecisions = {
  readonly flywheel: Latency;
  /** The same file through ONNX Runtime, vectors in, logits out. */
  readonly onnxRuntime: Latency;
  readonly xgboostMatrix?: Latency;
  readonly xgboostInPlace?: Latency;
};

const classes = ["No", "Yes"];

const task = defineTask({
  name: "churn",
  input: "record",
  instructions: "Will the customer leave?",
  output: { kind: "choice", choices: classes },
  teacher: { model: "compatible/none" },
  student: { threads: 1, xgboost: { early_stopping_rounds: 0 } },
});

/** Trained on every customer: time does not depend on who was held out. */
async function train(customers: readonly Customer[], directory: string): Promise<string> {
  await using store = await openSqliteStore({ directory });
  await putCustomers(store, customers);
  const { id } = await trainStudent({ store, task, seed: 1, clock: systemClock });
  return store.models.folder(id);
}

export async function timeRecordDecisions(): Promise<RecordDecisions> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-decision-"));
  try {
    const customers = readCustomers();
    const folder = await train(customers, directory);
    await using student = await loadRecordStudent(folder, { threads: 1 });
    return await race({ customers, folder, student });
  } finally {
    await rm(directory, { recursive: true });
  }
}

type Race = { readonly customers: readonly Customer[]; readonly folder: string; readonly student: RecordStudent };

async function race({ customers, folder, student }: Race): Promise<RecordDecisions> {
  const vectors = encodeDense(customers, student.schema);
  const decide = ({ fields }: Customer): string => {
    const calibrated = applyCalibrator({ kind: "temperature", temperature: 1.2 }, student.predictRecord(fields), 2);
    return `${classes[calibrated.predicted[0]!]} ${calibrated.confidence[0]}`;
  };
  for (let index = 0; index < warmUp; index++) decide(customers[index % customers.length]!);
  await using session = await openSession(join(folder, "model.onnx"), { threads: 1 });
  using peer = await startPeer("single_decision_record.py");
  await peer?.ask({ command: "load", ...modelAndRows(folder, student, vectors) });
  const times = { ours: [] as number[], ort: [] as number[], matrix: [] as number[], inPlace: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < perRound; index++) {
      const at = (round * perRound + index) % customers.length;
      const start = performance.now();
      decide(customers[at]!);
      times.ours.push(1000 * (performance.now() - start));
    }
    for (let index = 0; index < perRound; index++) {
      const row = vectors.data.slice(index * vectors.columns, (index + 1) * vectors.columns);
      const start = performance.now();
      await session.run({ features: floats(row, [1, vectors.columns]) });
      times.ort.push(1000 * (performance.now() - start));
    }
    await askPeer(peer, times);
  }
  return {
    flywheel: latency(times.ours),
    onnxRuntime: latency(times.ort),
    ...(peer && { xgboostMatrix: latency(times.matrix), xgboostInPlace: latency(times.inPlace) }),
  };
}

function modelAndRows(folder: string, { schema }: RecordStudent, { data, columns }: Vectors<Float32Array>) {
  const { featureNames: names, featureTypes: types } = described(schema.features);
  // JSON has no NaN: null is what Python makes one of.
  const vectors = Array.from({ length: 500 }, (_, row) =>
    Array.from(data.subarray(row * columns, (row + 1) * columns), (value) => (Number.isNaN(value) ? null : value)),
  );
  return { model: join(folder, boosterFile), names, types, vectors };
}

async function askPeer(peer: Peer | undefined, times: { readonly matrix: number[]; readonly inPlace: number[] }) {
  const answer = await peer?.ask({ command: "single", count: peerPerRound });
  if (!answer) return;
  times.matrix.push(...(answer["matrix"] as readonly number[]));
  times.inPlace.push(...(answer["inPlace"] as readonly number[]));
}

function latency(timesUs: readonly number[]): Latency {
  const [p50 = 0, p95 = 0] = quantiles(timesUs, [0.5, 0.95]);
  return { p50Us: Math.round(10 * p50) / 10, p95Us: Math.round(10 * p95) / 10, n: timesUs.length };
}
