/** @file For tests: a small workspace with rows, labels, predictions, and a clock that stands still. */

import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../contracts.ts";
import {
  type Label,
  type LabelBasis,
  type LabelValue,
  type ModelCard,
  type ModelId,
  modelId,
  type Prediction,
  type Row,
  type RowId,
  rowId,
  type TeacherAnnotation,
} from "../records.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { defineTask, promptVersion, splitOf, type Task } from "../task.ts";

export const stillClock: Clock = { now: () => 1_700_000_000_000, sleep: async () => {} };

const hex = (text: string): string => createHash("sha256").update(text).digest("hex");

export const textTask = (choices: readonly [string, string, ...string[]]): Task =>
  defineTask({
    name: "mood",
    input: "text",
    instructions: "Which mood?",
    output: { kind: "choice", choices },
    teacher: { model: "compatible/simulated-teacher", baseUrl: "http://127.0.0.1:9/v1" },
  });

/** A store in a folder that goes with it. */
export async function openTemporaryStore(): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), "review-"));
  const store = await openSqliteStore({ directory });
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

export function textRow(text: string, changes: Partial<Row> = {}): Row {
  const id = rowId(hex(text));
  return {
    id,
    input: { kind: "text", text },
    source: `${text}.txt`,
    origin: "ingest",
    uniform: true,
    split: splitOf(id, { train: 0.6, calibrate: 0.15, certify: 0.25 }),
    propensity: 1,
    createdAt: 1,
    ...changes,
  };
}

/** Rows `text 0` to `text n − 1`. */
export async function putRows(store: Store, n: number, changes: Partial<Row> = {}): Promise<readonly Row[]> {
  const rows = Array.from({ length: n }, (_, index) => textRow(`text ${index}`, changes));
  await store.rows.put(rows);
  return rows;
}

export function label(id: RowId, value: LabelValue, basis: LabelBasis = "agreed"): Label {
  return { rowId: id, value, weight: 1, basis, at: 1 };
}

export function teacherSays(task: Task, id: RowId, pass: number, value?: LabelValue): TeacherAnnotation {
  return {
    annotator: "teacher",
    id: hex(`${id} ${pass}`),
    rowId: id,
    at: 1,
    teacher: task.teacher.model,
    simulated: true,
    pass,
    promptVersion: promptVersion(task),
    ...(value === undefined ? { failure: { code: "teacher_off_schema", message: "?" } } : { value }),
    usage: { inputTokens: 1, outputTokens: 1 },
    costUsd: 0,
    latencyMs: 1,
  };
}

export async function putModel(store: Store, classes: readonly LabelValue[]): Promise<ModelId> {
  const card: ModelCard = {
    id: modelId(hex("model")),
    trainer: "test",
    inputKind: "text",
    classes,
    parameters: 1,
    sizeBytes: 1,
    seed: "1",
    dataHash: hex("data"),
    trainingRows: 1,
    options: {},
    history: [],
    codeVersion: "1",
    createdAt: 1,
    trainingMs: 1,
  };
  await store.models.put(card);
  return card.id;
}

/** Logits whose softmax gives `share` to class `top` and spreads the rest. */
export function prediction(
  model: ModelId,
  id: RowId,
  given: { readonly top: number; readonly share: number; readonly k: number; readonly basis?: Prediction["basis"] },
): Prediction {
  const { top, share, k, basis = "held-out" } = given;
  const logits = Float32Array.from({ length: k }, (_, index) =>
    Math.log(index === top ? share : (1 - share) / (k - 1)),
  );
  return { modelId: model, rowId: id, basis, logits };
}
