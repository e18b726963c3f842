/**
 * @file A small world for tests of routing: a text task whose rows say how sure the student is ("pear 0.9" is a pear at
 * 0.9), a teacher that does as it is told, and a store with a champion.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Student, StudentInput, Teacher, TeacherAnswer, TeacherRequest } from "../../contracts.ts";
import { softmax } from "../../math/softmax.ts";
import { type Champion, type ModelCard, modelId, type Policy, policyId, type Row, rowId } from "../../records.ts";
import type { Store } from "../../store/contract.ts";
import { openSqliteStore } from "../../store/sqlite.ts";
import { defineTask, promptVersion, type Task, type TaskDefinition } from "../../task.ts";
import type { RouterInput } from "../content.ts";
import type { Calibrated } from "../guess.ts";
import { classes, hashOf } from "./names.ts";

export function fruitTask(changes: Partial<TaskDefinition> = {}): Task {
  return defineTask({
    name: "fruit",
    input: "text",
    instructions: "Which fruit is it?",
    output: { kind: "choice", choices: [...classes] },
    teacher: { model: "compatible/simulated/fruit", baseUrl: "http://127.0.0.1:1/v1", price: freeOfCharge },
    audit: { uniformRate: 0, rate: 0 },
    ...changes,
  });
}

const freeOfCharge = { inputPerMillionUsd: 0, outputPerMillionUsd: 0 };

/** `textInput("pear", 0.9)`: the student calls it a pear at confidence 0.9. */
export function textInput(label: string, confidence: number, nth = 0): RouterInput {
  const text = `${label} ${confidence} ${nth}`;
  return { rowId: rowId(hashOf(text)), content: { kind: "text", text } };
}

export function textRequest(label: string, confidence: number, nth = 0) {
  const input = textInput(label, confidence, nth);
  return { shown: input.content, input: Promise.resolve(input) };
}

export async function openTestStore(): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-route-"));
  const store = await openSqliteStore({ directory });
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  return store;
}

export type TestStudent = Student & { readonly calls: number; readonly isDisposed: boolean };

/** Reads its logits off the row; throws where the row says `broken`, and never answers where it says `stuck`. */
export function createTestStudent(name = "m1", before: () => Promise<void> = async () => undefined): TestStudent {
  let [calls, isDisposed] = [0, false];
  return {
    modelId: modelId(hashOf(name)),
    classes,
    async predictLogits(batch) {
      if (isDisposed) throw new Error("the student was used after it was disposed of");
      calls += 1;
      await before();
      if (isDisposed) throw new Error("the student was disposed of while it was in use");
      return Float32Array.from(batch.flatMap(logitsOf));
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
    },
    get calls() {
      return calls;
    },
    get isDisposed() {
      return isDisposed;
    },
  };
}

/** As `createTestStudent`; `novelty` says how unlike its training data a text is. */
export function withNovelty(student: TestStudent, novelty: (text: string) => number): TestStudent {
  return Object.assign(student, {
    novelty: async (batch: readonly StudentInput[]) =>
      Float32Array.from(batch, (input) => (input.kind === "text" ? novelty(input.text) : 0)),
  });
}

/** As `createTestStudent`; `dissent` says how many of `size` members call a text something else. */
export function withCommittee(student: TestStudent, size: number, dissent: (text: string) => number): TestStudent {
  return Object.assign(student, {
    committee: {
      size,
      dissent: async (batch: readonly StudentInput[]) =>
        Float32Array.from(batch, (input) => (input.kind === "text" ? dissent(input.text) : 0)),
    },
  });
}

/** The same student, one that needs no time. */
export function atOnce(
  student: TestStudent,
  {
    novelty,
    dissent,
  }: { readonly novelty?: (text: string) => number; readonly dissent?: (text: string) => number } = {},
): TestStudent {
  const textOf = (input: StudentInput): string => (input.kind === "text" ? input.text : "");
  return Object.assign(student, {
    look: (input: StudentInput) => ({
      logits: Float32Array.from(logitsOf(input)),
      ...(novelty && { novelty: () => novelty(textOf(input)) }),
      ...(dissent && { dissent: () => dissent(textOf(input)) }),
    }),
  });
}

function logitsOf(input: StudentInput): readonly number[] {
  const [label, confidence] = input.kind === "text" ? input.text.split(" ") : [];
  if (label === "broken") throw new Error("broken row");
  const odds = Math.log(Number(confidence) / (1 - Number(confidence)));
  return label === "apple" ? [odds, 0] : [0, odds];
}

export function calibrateBySoftmax(_: unknown, logits: Float32Array): Calibrated {
  const probabilities = softmax(logits, logits.length);
  const top = probabilities.indexOf(Math.max(...probabilities));
  return { top, confidence: probabilities[top] ?? Number.NaN, probabilities };
}

export type TestTeacher = Teacher & { readonly requests: readonly TeacherRequest[] };

export function createTestTeacher(
  task: Task,
  answer: (
    request: TeacherRequest,
    signal: AbortSignal | undefined,
  ) => Promise<Partial<TeacherAnswer>> = async () => ({}),
  maxCostUsd = 0.002,
): TestTeacher {
  const requests: TeacherRequest[] = [];
  return {
    id: task.teacher.model,
    simulated: true,
    promptVersion: promptVersion(task),
    maxCostUsd: () => maxCostUsd,
    async ask(request, signal) {
      requests.push(request);
      const usage = { inputTokens: 100, outputTokens: 5 };
      return { value: "apple", usage, costUsd: 0.001, latencyMs: 1, ...(await answer(request, signal)) };
    },
    requests,
  };
}

export async function loadText(row: Row) {
  if (row.input.kind === "image") throw new Error("these tests have no images");
  return row.input;
}

export type PolicyChanges = Partial<Policy> & { readonly threshold?: number | undefined };

export function testPolicy(task: Task, model: string, changes: Partial<Policy> = {}): Policy {
  const target = { kind: "regret", risk: 0.05, delta: 0.1 } as const;
  const evidence = {
    target,
    deltaSpent: 0.1,
    reference: "teacher",
    bound: 0.04,
    n: 400,
    accepted: 300,
    errors: 8,
  } as const;
  const bound = { dataHash: hashOf("data"), modelId: modelId(hashOf(model)), promptVersion: promptVersion(task) };
  const estimate = { value: 0.5, low: 0.4, high: 0.6, n: 400 };
  return {
    id: policyId(hashOf(`policy of ${model}`)),
    modelId: modelId(hashOf(model)),
    promptVersion: promptVersion(task),
    classes,
    calibrator: { kind: "temperature", temperature: 1 },
    target,
    reference: "teacher",
    threshold: 0.8,
    certificate: { ...evidence, ...bound, issuedAt: 1 },
    coverage: estimate,
    selectiveRisk: estimate,
    warnings: [],
    createdAt: 1,
    ...changes,
  };
}

export function testCard(model: string): ModelCard {
  return {
    id: modelId(hashOf(model)),
    trainer: "test",
    inputKind: "text",
    classes,
    parameters: 2,
    sizeBytes: 8,
    seed: "1",
    dataHash: hashOf("data"),
    trainingRows: 10,
    options: {},
    history: [],
    codeVersion: "0",
    createdAt: 1,
    trainingMs: 1,
  };
}

/** Registers model and policy, and makes them champion. */
export async function promote(
  store: Store,
  task: Task,
  model = "m1",
  changes: Partial<Policy> = {},
): Promise<Champion> {
  const policy = testPolicy(task, model, changes);
  await store.models.put(testCard(model));
  await store.policies.put(policy);
  const version = (await store.policies.champion())?.version ?? 0;
  const next = { modelId: policy.modelId, policyId: policy.id, at: 1, reason: "test" };
  if (!(await store.policies.promote(next, version))) throw new Error("somebody else promoted");
  return { ...next, version: version + 1 };
}
