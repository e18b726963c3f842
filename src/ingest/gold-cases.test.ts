/** @file Gold as people write it (test/cases/labels): contradictions, numbers, signs, scripts, and names of files. */

import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { defineTask, type TaskDefinition } from "../task.ts";
import { type IngestSummary, ingest } from "./ingest.ts";
import { clock } from "./testing.ts";

const cases = join(import.meta.dirname, "../../test/cases/labels");

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-gold-"));
  store = await openSqliteStore({ directory: join(root, "store") });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

type OutputDefinition = TaskDefinition["output"];

const base = { name: "gold", instructions: "Which?", teacher: { model: "openai/gpt-4o-mini" } } as const;
const choices = (...values: readonly string[]): OutputDefinition => ({ kind: "choice", choices: values });

async function ingestTexts(path: string, output: OutputDefinition, gold: string): Promise<IngestSummary> {
  return await ingest({ store, task: defineTask({ ...base, input: "text", output, columns: { gold } }), path, clock });
}

async function goldByText(): Promise<Readonly<Record<string, string>>> {
  const gold = await store.gold.all();
  const rows = await store.rows.getMany([...gold.keys()]);
  return Object.fromEntries(rows.map(({ id, input }) => [input.kind === "text" ? input.text : id, gold.get(id)!]));
}

const countsOf = async (): Promise<Readonly<Record<string, number>>> => {
  const values = [...(await store.gold.all()).values()];
  return Object.fromEntries([...Map.groupBy(values, (value) => value)].map(([value, same]) => [value, same.length]));
};

test("a text with two labels measures nothing, and both lines are named", async () => {
  const path = join(cases, "08-conflicting-duplicates.csv");
  const { gold } = await ingestTexts(path, { kind: "predicate" }, "label");
  expect(gold).toMatchObject({ matched: 0, conflicts: { count: 30, first: expect.any(Array) } });
  expect(gold?.conflicts.first[0]).toMatchObject({ source: `${path}:32`, text: "true, after false" });
  expect(await countsOf()).toEqual({});
});

test("a third line does not settle what two contradict; a later run does", async () => {
  const path = join(root, "data.csv");
  await writeFile(path, "text,label\none,a\ntwo,b\none,b\none,b\ntwo,b\n");
  const first = await ingestTexts(path, choices("a", "b"), "label");
  expect(first.gold).toMatchObject({ matched: 2, conflicts: { count: 2 } });
  expect(await goldByText()).toEqual({ two: "b" });
  await writeFile(path, "text,label\none,b\ntwo,a\n");
  const second = await ingestTexts(path, choices("a", "b"), "label");
  expect(second.gold).toMatchObject({ matched: 2, conflicts: { count: 0 } });
  expect(await goldByText()).toEqual({ one: "b", two: "a" });
});

test("a gold file that contradicts the data's own column is told so", async () => {
  const path = join(root, "data.csv");
  await writeFile(path, "text,label\none,a\ntwo,b\n");
  await writeFile(join(root, "gold.csv"), "text,label\none,b\n");
  const task = defineTask({ ...base, input: "text", output: choices("a", "b"), columns: { gold: "label" } });
  const { gold } = await ingest({ store, task, path, clock, goldPath: join(root, "gold.csv") });
  expect(gold).toMatchObject({ matched: 1, conflicts: { count: 1, first: [{ text: "b, after a" }] } });
  expect(await goldByText()).toEqual({ two: "b" });
});

test.each<[string, OutputDefinition, Readonly<Record<string, number>>]>([
  ["10-float-labels.csv", { kind: "predicate" }, { true: 30, false: 30 }],
  ["10-float-labels.csv", choices("0", "1"), { 0: 30, 1: 30 }],
  ["10-float-labels.csv", { kind: "score", levels: ["0", "1", "2"] }, { 0: 30, 1: 30 }],
])("%s: whole numbers that a float column wrote are read", async (file, output, counts) => {
  const { gold } = await ingestTexts(join(cases, file), output, "label");
  expect(gold).toMatchObject({ matched: 60, unknownLabels: { count: 0 } });
  expect(await countsOf()).toEqual(counts);
});

test.each<[OutputDefinition, Readonly<Record<string, string>>]>([
  [choices("0", "1"), { "second one here": "1", "third one here": "0" }],
  [
    choices("-1", "0", "1"),
    { "first one here": "-1", "second one here": "1", "third one here": "0", "fourth one here": "-1" },
  ],
  [{ kind: "predicate" }, { "second one here": "true", "third one here": "false" }],
])("-1 is never 1", async (output, expected) => {
  const { gold } = await ingestTexts(join(cases, "gold-minus-one.csv"), output, "y");
  expect(await goldByText()).toEqual(expected);
  expect(gold).toMatchObject({
    matched: Object.keys(expected).length,
    unknownLabels: { count: 5 - Object.keys(expected).length },
  });
});

test("words that a vowel sign tells apart are different labels", async () => {
  const { gold } = await ingestTexts(join(cases, "gold-hindi.csv"), choices("बिल", "बल", "बोल"), "y");
  expect(gold).toMatchObject({ matched: 3, unknownLabels: { count: 1, first: [{ text: "कार्ड" }] } });
  expect(await goldByText()).toEqual({ "पहला पाठ": "बिल", "दूसरा पाठ": "बल", "तीसरा पाठ": "बोल" });
});

async function addPhotos(names: readonly string[]): Promise<void> {
  await mkdir(join(root, "photos", "deep"), { recursive: true });
  for (const [index, name] of names.entries()) {
    const create = { width: 8, height: 8, channels: 3, background: { r: index * 9, g: 40, b: 200 } } as const;
    await sharp({ create })
      .jpeg()
      .toFile(join(root, "photos", name));
  }
}

async function ingestPhotos(gold: string): Promise<IngestSummary> {
  await cp(gold, join(root, "photos", "gold.csv"));
  const task = defineTask({ ...base, input: "image", output: choices("red", "green") });
  return await ingest({ store, task, path: join(root, "photos"), clock, goldPath: join(root, "photos", "gold.csv") });
}

test("names match in another Unicode form", async () => {
  await addPhotos(["cafe\u0301_01.jpg"]);
  expect((await ingestPhotos(join(cases, "15-gold-nfc.csv"))).gold).toMatchObject({ matched: 1 });
});

test("names match without their extension, and with backslashes", async () => {
  await addPhotos(["img_000.jpg", "img_001.JPG", "deep/img_100.jpg"]);
  const { gold } = await ingestPhotos(join(cases, "15-gold-no-extension.csv"));
  expect(gold).toMatchObject({ matched: 2, unmatched: { count: 18 } });
  expect(gold?.unmatched.first[0]?.text).toBe("img_002");
  await writeFile(join(root, "windows.csv"), "file,label\ndeep\\img_100.jpg,red\n");
  expect((await ingestPhotos(join(root, "windows.csv"))).gold).toMatchObject({ matched: 1, unmatched: { count: 0 } });
});
