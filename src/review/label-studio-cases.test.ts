/** @file Exports that Label Studio 1.23.2 wrote (test/cases/logs): two annotators, skipped, changed and drafted tasks. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { rowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { latestRulings } from "../verdict.ts";
import { importReviewCsv } from "./csv.ts";
import { findDisagreements } from "./disagreements.ts";
import { importLabelStudio } from "./label-studio-import.ts";
import { openTemporaryStore, stillClock, textRow, textTask } from "./testing.ts";

const cases = join(import.meta.dirname, "../../test/cases/logs");
const csvPath = join(cases, "label-studio-1.23.2-export.csv");
const jsonPath = join(cases, "label-studio-1.23.2-export.json");
const task = textTask(["billing", "card", "loan"]);

const Exported = z.array(
  z.looseObject({
    data: z.looseObject({ row: z.string(), text: z.string() }),
    annotations: z.array(z.looseObject({ completed_by: z.number(), updated_at: z.string(), result: z.array(z.any()) })),
  }),
);
const exported = Exported.parse(JSON.parse(await readFile(jsonPath, "utf8")));

async function openWithRows(): Promise<Store> {
  const store = await openTemporaryStore();
  await store.rows.put(exported.map(({ data }) => textRow(data.text, { id: rowId(data.row) })));
  return store;
}

/** By row's first hex digits: who says what, in order of time. */
const expected = {
  "6e40": ["1 card"],
  "1830": ["1 loan"],
  "35ec": ["1 billing"],
  a11a: ["1 loan"],
  "4263": ["1 card", "2 loan"],
  "2813": ["1 loan"],
  "9feb": ["1 card"],
};

async function rulingsIn(store: Store): Promise<Readonly<Record<string, readonly string[]>>> {
  const found = await Promise.all(
    exported.map(async ({ data }) => {
      const rulings = latestRulings(await store.annotations.ofRow(rowId(data.row)));
      return [
        data.row.slice(0, 4),
        rulings.map(({ person, value }) => `${person.replace("label-studio:", "")} ${value}`),
      ];
    }),
  );
  return Object.fromEntries(found.filter(([, rulings]) => rulings!.length > 0));
}

test("JSON: eight rulings of two people", async () => {
  await using store = await openWithRows();
  const imported = await importLabelStudio({ store, task, path: jsonPath, person: "me", clock: stillClock });
  expect(imported).toMatchObject({ recorded: 8, problems: [] });
  expect(await rulingsIn(store)).toEqual(expected);
});

test("CSV: the same people, times and last words, whatever the order of the lines; importing again changes nothing", async () => {
  await using store = await openWithRows();
  const options = { store, task, path: csvPath, person: "me", clock: stillClock };
  expect(await importReviewCsv(options)).toMatchObject({ recorded: 8, blank: 1, problems: [] });
  expect(await rulingsIn(store)).toEqual(expected);
  expect(await importReviewCsv(options)).toMatchObject({ recorded: 0, unchanged: 8 });
  const [first] = await store.annotations.ofRow(rowId(exported[0]!.data.row));
  expect(first).toMatchObject({ at: Date.parse("2026-11-30T23:07:11.399391Z") });
});

test("JSON-MIN: the same again", async () => {
  await using store = await openWithRows();
  const folder = await mkdtemp(join(tmpdir(), "label-studio-min-"));
  const path = join(folder, "min.json");
  const flat = exported.flatMap(({ data, annotations, ...one }) =>
    annotations
      .filter((annotation) => annotation["was_cancelled"] !== true)
      .map(({ completed_by: annotator, updated_at, created_at, result }) => {
        const label = result[0]?.value.choices[0];
        return { ...data, id: one["id"], annotator, updated_at, created_at, ...(label && { label }) };
      }),
  );
  await writeFile(path, JSON.stringify(flat));
  const imported = await importLabelStudio({ store, task, path, person: "me", clock: stillClock });
  expect(imported).toMatchObject({ recorded: 8, blank: 1, problems: [] });
  expect(await rulingsIn(store)).toEqual(expected);
  await rm(folder, { recursive: true });
});

test("people who disagree are named, with the label that counts", async () => {
  await using store = await openWithRows();
  const { rowIds } = await importReviewCsv({ store, task, path: csvPath, person: "me", clock: stillClock });
  expect(await findDisagreements(store, task, rowIds)).toMatchObject([
    {
      field: "",
      source: "I forgot the PIN, it happened today, case 1263.txt",
      said: [
        { person: "label-studio:1", value: "card" },
        { person: "label-studio:2", value: "loan" },
      ],
      counts: "loan",
    },
  ]);
});

test("several choices in one cell are refused with their line", async () => {
  await using store = await openWithRows();
  const folder = await mkdtemp(join(tmpdir(), "label-studio-csv-"));
  const path = join(folder, "several.csv");
  const several = JSON.stringify({ choices: ["card", "loan"] }).replaceAll('"', '""');
  const row = exported[0]!.data.row;
  await writeFile(path, `annotation_id,annotator,label,row,updated_at\n1,1,"${several}",${row},2026-01-01T00:00:00Z\n`);
  const imported = await importReviewCsv({ store, task, path, person: "me", clock: stillClock });
  expect(imported).toMatchObject({ recorded: 0, problems: [{ where: "line 2", code: "several_labels" }] });
  await rm(folder, { recursive: true });
});
