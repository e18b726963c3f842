/**
 * @file Every input of `../shared/cases` (else the copies in `test/cases`) through `scan`, `ingest`, `review import` or
 * `xgboostToOnnx`: the right value or the named refusal, as a table. What is right says the folder's README; for logs,
 * `test/support/log-cases.ts`.
 */

import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";
import { z } from "zod";
import { FlywheelError } from "../src/errors.ts";
import { type IngestSummary, ingest } from "../src/ingest/ingest.ts";
import type { IngestOptions } from "../src/ingest/ingest-options.ts";
import { rowId } from "../src/records.ts";
import { importReviewCsv } from "../src/review/csv.ts";
import { importLabelStudio } from "../src/review/label-studio-import.ts";
import { readTraffic } from "../src/scan/read-traffic.ts";
import type { Store } from "../src/store/contract.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { defineTask, type Task, type TaskDefinition } from "../src/task.ts";
import { latestRulings } from "../src/verdict.ts";
import { describeXgboost, xgboostToOnnx } from "../src/xgboost/convert.ts";
import { type LogCase, logCases } from "../test/support/log-cases.ts";

const handed = join(import.meta.dirname, "../../shared/cases");
const copies = join(import.meta.dirname, "../test/cases");
const pathOf = (file: string): string => {
  const path = join(handed, file);
  return existsSync(path) ? path : join(copies, file);
};
const clock = { now: () => 42, sleep: () => Promise.resolve() };

type Scene = { readonly store: Store; readonly folder: string };
/** `read` gives what was read, in the words of `right`. */
type Case = { readonly file: string; readonly right: string; read(scene: Scene): Promise<string> };

const teacher = { model: "openai/gpt-4o-mini" } as const;
const taskOf = (changes: Partial<TaskDefinition>): Task =>
  defineTask({
    name: "reading",
    input: "text",
    instructions: "Which?",
    output: { kind: "choice", choices: ["0", "1"] },
    teacher,
    ...changes,
  });

// ── labels ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function goldOf({ store }: Scene): Promise<string> {
  const gold = [...(await store.gold.all()).values()].toSorted();
  return (
    [...Map.groupBy(gold, (value) => value)].map(([value, same]) => `${same.length} × ${value}`).join(", ") || "none"
  );
}

const goldCase = (file: string, changes: Partial<TaskDefinition>, right: string): Case => ({
  file: `labels/${file}`,
  right,
  async read(scene) {
    const { gold } = await ingest({ store: scene.store, clock, path: pathOf(`labels/${file}`), task: taskOf(changes) });
    return `${await goldOf(scene)}; ${gold?.unknownLabels.count} unknown, ${gold?.conflicts.count} contradict`;
  },
});

const goldFileCase = (file: string, photos: readonly string[], right: string): Case => ({
  file: `labels/${file}`,
  right,
  async read({ store, folder }) {
    for (const [index, name] of photos.entries()) {
      const create = { width: 8, height: 8, channels: 3, background: { r: index * 9, g: 40, b: 200 } } as const;
      await sharp({ create }).jpeg().toFile(join(folder, name));
    }
    await cp(pathOf(`labels/${file}`), join(folder, "gold.csv"));
    const task = taskOf({ input: "image", output: { kind: "choice", choices: ["red", "green"] } });
    const { gold } = await ingest({ store, clock, task, path: folder, goldPath: join(folder, "gold.csv") });
    return `${gold?.matched} matched, ${gold?.unmatched.count} without a photo`;
  },
});

const photoNames = Array.from({ length: 20 }, (_, index) => `img_${String(index).padStart(3, "0")}.jpg`);
const choices = (...given: readonly string[]) => ({ output: { kind: "choice", choices: given } as const });
const labelCases: readonly Case[] = [
  goldCase(
    "08-conflicting-duplicates.csv",
    { output: { kind: "predicate" }, columns: { gold: "label" } },
    "none; 0 unknown, 30 contradict",
  ),
  goldCase("10-float-labels.csv", { columns: { gold: "label" } }, "30 × 0, 30 × 1; 0 unknown, 0 contradict"),
  goldCase(
    "10-float-labels.csv",
    { output: { kind: "predicate" }, columns: { gold: "label" } },
    "30 × false, 30 × true; 0 unknown, 0 contradict",
  ),
  goldCase(
    "gold-minus-one.csv",
    { ...choices("-1", "0", "1"), columns: { gold: "y" } },
    "2 × -1, 1 × 0, 1 × 1; 1 unknown, 0 contradict",
  ),
  goldCase(
    "gold-minus-one.csv",
    { output: { kind: "predicate" }, columns: { gold: "y" } },
    "1 × false, 1 × true; 3 unknown, 0 contradict",
  ),
  goldCase(
    "gold-hindi.csv",
    { ...choices("बिल", "बल", "बोल", "कार्ड"), columns: { gold: "y" } },
    "1 × कार्ड, 1 × बल, 1 × बिल, 1 × बोल; 0 unknown, 0 contradict",
  ),
  goldFileCase("15-gold-nfc.csv", ["cafe\u0301_01.jpg"], "1 matched, 0 without a photo"),
  goldFileCase("15-gold-no-extension.csv", photoNames, "20 matched, 0 without a photo"),
];

// ── logs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const logCase = (one: LogCase): Case => ({
  file: `logs/${one.file}`,
  right: `${one.calls} calls, ${one.failed} failed, ${one.images} images refused; ${one.tokens.join(" + ")} tokens; 0 labels wrong`,
  async read({ store }) {
    const paths = {
      path: pathOf(`logs/${one.file}`),
      ...(one.requests !== undefined && { requestsPath: pathOf(`logs/${one.requests}`) }),
    };
    const { total, failed, calls } = await readTraffic(paths);
    const summary = await ingest({ store, task: one.desk.task, clock, ...paths });
    const refused = summary.rejections.filter(({ code }) => code === "log_input_no_text").length;
    const sum = (of: (usage: { inputTokens: number; outputTokens: number }) => number) =>
      calls.reduce((all, { usage }) => all + of(usage), 0);
    const tokens = `${sum(({ inputTokens }) => inputTokens)} + ${sum(({ outputTokens }) => outputTokens)}`;
    // An answer that is no label (a refusal in words) must stay without one; every other must have its own.
    const unread = total - refused - failed - (one.unreadable ?? 0) - (summary.log?.answered ?? 0);
    const wrong = (await wrongLabels(store, one)) + Math.abs(unread);
    return `${total} calls, ${failed} failed, ${refused} images refused; ${tokens} tokens; ${wrong} labels wrong`;
  },
});

async function wrongLabels(store: Store, { desk }: LogCase): Promise<number> {
  let wrong = 0;
  for await (const { id, input } of store.rows.list()) {
    const text = input.kind === "text" ? input.text : "";
    const values = (await store.annotations.ofRow(id)).flatMap(({ value }) => value ?? []);
    wrong += values.filter((value) => value !== desk.labelOf(text)).length;
  }
  return wrong;
}

// ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const Exported = z.array(z.looseObject({ data: z.looseObject({ row: z.string(), text: z.string() }) }));

const rulingsCase = (file: string): Case => ({
  file: `logs/${file}`,
  right: "8 reviews by 2 people, 7 rows",
  async read({ store }) {
    const tasks = Exported.parse(JSON.parse(await readFile(pathOf("logs/label-studio-1.23.2-export.json"), "utf8")));
    const rows = tasks.map(({ data }) => ({ id: rowId(data.row), text: data.text }));
    await store.rows.put(
      rows.map(({ id, text }) => ({ ...ingested, id, input: { kind: "text", text }, source: text })),
    );
    const options = { store, task: taskOf(choices("billing", "card", "loan")), clock, person: "nobody" };
    const read = file.endsWith(".csv") ? importReviewCsv : importLabelStudio;
    const { recorded } = await read({ ...options, path: pathOf(`logs/${file}`) });
    const found = await Promise.all(rows.map(async ({ id }) => latestRulings(await store.annotations.ofRow(id))));
    const people = new Set(found.flat().map(({ person }) => person));
    return `${recorded} reviews by ${people.size} people, ${found.filter(({ length }) => length > 0).length} rows`;
  },
});
const ingested = { origin: "ingest", uniform: true, split: "train", propensity: 1, createdAt: 0 } as const;

// ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const tableCase = (
  file: string,
  right: string,
  { more = {}, ...changes }: Partial<TaskDefinition> & { readonly more?: Partial<IngestOptions> },
): Case => ({
  file: `tables/${file}`,
  right,
  async read({ store }) {
    const path = pathOf(`tables/${file}`);
    return describeTable(await ingest({ store, clock, path, task: taskOf(changes), ...more }));
  },
});

const describeTable = ({ added, rejected, rejections, columns = [] }: IngestSummary): string => {
  const formats = columns.flatMap(({ name, format, leftOut }) =>
    leftOut ? [`${name} left out`] : format ? [`${name} ${format}`] : [],
  );
  const why = new Set(rejections.map(({ message }) => /--[a-z]+ [a-z]+/.exec(message)?.[0] ?? message));
  return [`${added} rows, ${rejected} refused${why.size > 0 ? ` (${[...why].join("; ")})` : ""}`, ...formats].join(
    "; ",
  );
};

const withGold = { columns: { gold: "label" } };
const late: Partial<TaskDefinition> = { input: "record", output: { kind: "predicate" }, columns: { gold: "late" } };
const tableCases: readonly Case[] = [
  tableCase(
    "09-money-and-dates.csv",
    "59 rows, 0 refused; order no left out; amount number, decimal point, in $; amount_eu number, decimal comma; pct number, decimal point, in %; date date; ts date and time; weight number, decimal point",
    late,
  ),
  tableCase("11-utf16be.csv", "60 rows, 0 refused", withGold),
  tableCase("12-sep-line.csv", "60 rows, 0 refused", withGold),
  tableCase("12-unquoted.tsv", "60 rows, 0 refused", { ...withGold, more: { quote: "none" } }),
  tableCase("13-no-header.csv", "header_missing", { ...late, columns: {} }),
];

// ── models ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const Expected = z.looseObject({
  /** Null: missing. */
  rows: z.array(z.array(z.number().nullable())),
  margin: z.array(z.number()),
  sk_margin: z.array(z.number()).optional(),
});

async function marginsOf(onnx: Uint8Array, rows: readonly (readonly (number | null)[])[]): Promise<readonly number[]> {
  const session = await InferenceSession.create(onnx);
  const features = new Tensor(
    "float32",
    Float32Array.from(rows.flat(), (cell) => cell ?? Number.NaN),
    [rows.length, rows[0]!.length],
  );
  const { logits } = await session.run({ features });
  return Array.from(logits!.data as Float32Array).filter((_, index) => index % 2 === 1);
}

const modelCase = (name: string, right: string): Case => ({
  file: `models/${name}.json`,
  right,
  async read() {
    const saved = await readFile(pathOf(`models/${name}.json`));
    const expected = Expected.parse(JSON.parse(await readFile(pathOf(`models/${name}.expect.json`), "utf8")));
    const { rounds, bestRounds } = describeXgboost(saved);
    const far = async (onnx: Uint8Array, margins: readonly number[]) =>
      Math.max(...(await marginsOf(onnx, expected.rows)).map((margin, index) => Math.abs(margin - margins[index]!)));
    const best = await far(xgboostToOnnx(saved, { rounds: "best" }), expected.sk_margin ?? expected.margin);
    const all = await far(xgboostToOnnx(saved, { rounds: "all" }), expected.margin);
    const within = Math.max(best, all) <= 1e-5 ? "within 1e-5" : `${Math.max(best, all)} off`;
    return `best ${bestRounds} of ${rounds} rounds, margins ${within}`;
  },
});

const modelCases: readonly Case[] = [
  modelCase("xgboost-3.4.1-dart", "best 8 of 8 rounds, margins within 1e-5"),
  modelCase("xgboost-3.2.0-early-stopped", "best 5 of 9 rounds, margins within 1e-5"),
  {
    file: "models/xgboost-3.2.0-three-outputs.json",
    right: "xgboost_unsupported_model",
    async read() {
      xgboostToOnnx(await readFile(pathOf("models/xgboost-3.2.0-three-outputs.json")));
      return "converted";
    },
  },
];

// ── all ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function seen(one: Case): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flywheel-reading-"));
  await mkdir(join(folder, "files"));
  try {
    await using store = await openSqliteStore({ directory: join(folder, "store") });
    return await one.read({ store, folder: join(folder, "files") });
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return thrown.code;
    throw thrown;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const people = ["label-studio-1.23.2-export.csv", "label-studio-1.23.2-export.json"].map(rulingsCase);
const cases = [...labelCases, ...logCases.map(logCase), ...people, ...tableCases, ...modelCases];
let right = 0;
for (const one of cases) {
  const got = await seen(one);
  right += Number(got === one.right);
  console.log(`${got === one.right ? "✓" : "✗"} ${one.file.padEnd(60)} ${got}`);
  if (got !== one.right) console.log(`  should be: ${one.right}`);
}
const figures = { right, of: cases.length };
console.log(JSON.stringify({ bar: "reading", figures, target: { right: cases.length }, met: right === cases.length }));
