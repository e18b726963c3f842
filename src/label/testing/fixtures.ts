/** @file Rows, a store, a task and a teacher that does as it is told. */

import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Teacher, type TeacherAnswer, TeacherError, type TeacherRequest } from "../../contracts.ts";
import {
  type LabelValue,
  type PersonAnnotation,
  type Row,
  type RowId,
  rowId,
  type TeacherAnnotation,
} from "../../records.ts";
import type { Store } from "../../store/contract.ts";
import { openSqliteStore } from "../../store/sqlite.ts";
import { defineTask, promptVersion, type Task, type TaskDefinition } from "../../task.ts";
import { teacherAnnotationId } from "../../verdict.ts";

export const hex = (text: string): string => createHash("sha256").update(text).digest("hex");

type TaskChanges = Partial<Omit<TaskDefinition, "teacher">> & { readonly teacher?: Partial<TaskDefinition["teacher"]> };

export function fruitTask({ teacher, ...changes }: TaskChanges = {}): Task {
  return defineTask({
    name: "fruit",
    input: "text",
    instructions: "Which fruit is meant?",
    output: { kind: "choice", choices: ["apple", "pear", "orange"] },
    ...changes,
    teacher: {
      model: "compatible/test",
      baseUrl: "http://127.0.0.1:9/v1",
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
      maxConcurrency: 8,
      ...teacher,
    },
  });
}

export function textRow(text: string, changes: Partial<Row> = {}): Row {
  return {
    id: rowId(hex(text)),
    input: { kind: "text", text },
    source: `rows.csv:${text}`,
    origin: "ingest",
    uniform: true,
    split: "train",
    propensity: 1,
    createdAt: 1,
    ...changes,
  };
}

export const textRows = (count: number): readonly Row[] =>
  Array.from({ length: count }, (_, index) => textRow(`row ${index}`));

/** Gone when the test is over. */
export async function openTestStore(rows: readonly Row[] = []): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-label-"));
  const store = await openSqliteStore({ directory });
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  await store.rows.put(rows);
  return store;
}

export type Reply = LabelValue | TeacherError;

export type TestTeacher = Teacher & {
  /** Every request that it received, in order. */
  readonly requests: readonly TeacherRequest[];
};

export type TeacherScript = {
  /** What to say; `asked` counts this row's earlier requests in this pass. */
  readonly reply: (
    request: TeacherRequest & { readonly text: string; readonly asked: number },
  ) => Reply | Promise<Reply>;
  readonly costUsd?: number;
  readonly maxCostUsd?: number;
};

export function createTestTeacher(
  task: Task,
  { reply, costUsd = 0.001, maxCostUsd = 0.002 }: TeacherScript,
): TestTeacher {
  const requests: TeacherRequest[] = [];
  const asked = new Map<string, number>();
  return {
    id: task.teacher.model,
    simulated: true,
    promptVersion: promptVersion(task),
    requests,
    maxCostUsd: () => maxCostUsd,
    async ask(request, signal): Promise<TeacherAnswer> {
      requests.push(request);
      const text = request.input.kind === "text" ? request.input.text : "";
      const name = `${request.pass} ${text}`;
      const before = asked.get(name) ?? 0;
      asked.set(name, before + 1);
      const said = await Promise.race([reply({ ...request, text, asked: before }), abortOf(signal)]);
      if (said instanceof TeacherError) throw said;
      return { value: said, usage: { inputTokens: 10, outputTokens: 1 }, costUsd, latencyMs: 5 };
    },
  };
}

function abortOf(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Failures as the real teacher reports them. */
export const failures = {
  limited: (retryAfterMs?: number) =>
    new TeacherError("teacher_rate_limited", "slow down", { retryable: true, retryAfterMs }),
  down: () => new TeacherError("teacher_unavailable", "out of order", { retryable: true }),
  silent: () => new TeacherError("teacher_timeout", "no answer", { retryable: true, inDoubt: true }),
  useless: (costUsd = 0.001) => new TeacherError("teacher_off_schema", "banana", { retryable: true, costUsd }),
  refused: () => new TeacherError("teacher_refused", "I would rather not"),
  badRequest: () => new TeacherError("teacher_bad_request", "cannot read this"),
  wrongKey: () => new TeacherError("teacher_unauthorised", "wrong key"),
};

export function teacherSays(
  row: { readonly id: RowId },
  pass: number,
  changes: Partial<TeacherAnnotation> = {},
): TeacherAnnotation {
  const version = changes.promptVersion ?? promptVersion(fruitTask());
  return {
    id: teacherAnnotationId({ rowId: row.id, pass, promptVersion: version }),
    rowId: row.id,
    at: 1000 + pass,
    annotator: "teacher",
    teacher: "compatible/test",
    simulated: true,
    pass,
    promptVersion: version,
    value: "apple",
    usage: { inputTokens: 10, outputTokens: 1 },
    costUsd: 0.001,
    latencyMs: 5,
    ...changes,
  };
}

export function personSays(
  row: { readonly id: RowId },
  value: LabelValue,
  changes: Partial<PersonAnnotation> = {},
): PersonAnnotation {
  const { person = "ada", at = 2000 } = changes;
  return { id: hex(`${row.id} ${person} ${at}`), rowId: row.id, at, annotator: "person", person, value, ...changes };
}
