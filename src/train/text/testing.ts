/** @file Helpers that only tests of this folder and the next import. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng } from "../../math/random.ts";
import { Split } from "../../records.ts";
import type { Store } from "../../store/contract.ts";
import { openSqliteStore } from "../../store/sqlite.ts";
import { sampleAnnotation, sampleRow } from "../../store/testing/samples.ts";
import { defineTask, type Task, type TaskDefinition } from "../../task.ts";

export const topics = {
  card: "card lost stolen freeze block plastic arrive post",
  rate: "rate exchange euro dollar currency convert price",
  top: "top up balance account money transfer bank add",
};
export type Topic = keyof typeof topics;
const filler = "please can you tell me why the my is what how do I 👍 手机 it".split(" ");

export function sentence(topic: Topic, seed: string): string {
  const rng = createRng(seed);
  const own = topics[topic].split(" ");
  const words = Array.from({ length: 8 }, (_, index) => (index % 3 === 0 ? own : filler));
  return words.map((list) => list[rng.integer(list.length)]).join(" ");
}

export function questionTask(
  student: TaskDefinition["student"] = {},
  choices: readonly string[] = Object.keys(topics),
): Task {
  return defineTask({
    name: "questions",
    input: "text",
    instructions: "What is it about?",
    output: { kind: "choice", choices },
    teacher: { model: "compatible/simulated" },
    student: { threads: 1, ...student },
  });
}

export type World = AsyncDisposable & { readonly store: Store; readonly directory: string };

/** A store with `perSplit` labelled questions in each split. */
export async function openWorld(perSplit: number, names: readonly Topic[] = ["card", "rate", "top"]): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-text-"));
  const store = await openSqliteStore({ directory });
  for (const split of Split) {
    const values = Array.from({ length: perSplit }, (_, index) => names[index % names.length]!);
    const rows = values.map((value, index) =>
      sampleRow(`${split}-${index}`, { split, input: { kind: "text", text: sentence(value, `${split}/${index}`) } }),
    );
    await store.rows.put(rows);
    await store.annotations.put(rows.map((row, index) => sampleAnnotation(row, 1, { value: values[index]! })));
    await store.labels.put(
      rows.map(({ id }, index) => ({ rowId: id, value: values[index]!, weight: 0.8, basis: "agreed", at: 1 }) as const),
    );
  }
  return {
    store,
    directory,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}
