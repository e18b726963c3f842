/** @file Helpers that only tests of this folder import. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng } from "../../math/random.ts";
import type { Label, RecordInput, Row, Split, TextInput } from "../../records.ts";
import type { Store } from "../../store/contract.ts";
import { openSqliteStore } from "../../store/sqlite.ts";
import { sampleAnnotation, sampleRow } from "../../store/testing/samples.ts";
import { defineTask, type Task, type TaskDefinition } from "../../task.ts";

export type Fields = RecordInput["fields"];

export const plans = ["basic", "family", "plus"] as const;

/** A customer whose plan follows from age, spending and contract, most of the time; a tenth of the values missing. */
export function customer(name: string): { readonly fields: Fields; readonly plan: string } {
  const rng = createRng(name);
  const [age, spending] = [20 + rng.integer(60), Math.round(1000 * rng.next()) / 10];
  const contract = ["monthly", "yearly", "two years"][rng.integer(3)]!;
  const isStudent = age < 30 && rng.next() < 0.5;
  const score = spending / 50 + (contract === "monthly" ? 0 : 0.7) + (isStudent ? -0.5 : 0) + 0.2 * rng.normal();
  const all: Fields = { age, spending, contract, student: isStudent, customerId: `c-${name}` };
  const fields = Object.fromEntries(
    Object.entries(all).map(([key, value]) => [key, key !== "spending" && rng.next() < 0.1 ? null : value]),
  );
  return { fields, plan: plans[score < 0.8 ? 0 : score < 1.6 ? 1 : 2]! };
}

export type World = AsyncDisposable & { readonly store: Store };

export async function openWorld(counts: Readonly<Record<Split, number>>): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-record-"));
  const store = await openSqliteStore({ directory });
  for (const split of ["train", "calibrate", "certify"] as const) await addCustomers(store, split, counts[split]);
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

export type Labelled = { readonly fields: Fields; readonly value: string; readonly label?: Partial<Label> };

export async function addCustomers(store: Store, split: Split, count: number): Promise<readonly Row[]> {
  const rows = Array.from({ length: count }, (_, index) => customer(`${split}-${index}`));
  return await addRecords(
    store,
    split,
    rows.map(({ fields, plan }) => ({ fields, value: plan })),
  );
}

export async function addRecords(store: Store, split: Split, given: readonly Labelled[]): Promise<readonly Row[]> {
  const inputs = given.map(({ fields, ...rest }) => ({ ...rest, input: { kind: "record" as const, fields } }));
  return await addInputs(store, split, inputs);
}

export type LabelledInput = Omit<Labelled, "fields"> & { readonly input: RecordInput | TextInput };

export async function addInputs(store: Store, split: Split, given: readonly LabelledInput[]): Promise<readonly Row[]> {
  const rows = given.map(({ input }, index) =>
    sampleRow(`${split}-${index}-${JSON.stringify("text" in input ? input.text : input.fields)}`, { input, split }),
  );
  await store.rows.put(rows);
  await store.annotations.put(rows.map((row, index) => sampleAnnotation(row, 1, { value: given[index]!.value })));
  const labels = rows.map(
    ({ id }, index): Label => ({
      rowId: id,
      value: given[index]!.value,
      weight: 0.8,
      basis: "agreed",
      at: 1,
      ...given[index]!.label,
    }),
  );
  await store.labels.put(labels);
  return rows;
}

export function planTask(changes: Partial<TaskDefinition> = {}): Task {
  return defineTask({
    name: "plan",
    input: "record",
    instructions: "Which plan suits the customer?",
    output: { kind: "choice", choices: plans },
    teacher: { model: "compatible/simulated" },
    ...changes,
  });
}
