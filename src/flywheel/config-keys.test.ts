import { describe, expect, test } from "vitest";
import { openTestStore, textRow, textRows } from "../label/testing/fixtures.ts";
import type { Row } from "../records.ts";
import { promote } from "../route/testing/fixtures.ts";
import { type AnyTask, parseAnyTask, parseTask, promptVersion, splitOf } from "../task.ts";
import { checkConfig } from "./check-config.ts";
import { configChanges, configKeys } from "./config-keys.ts";
import { configSchema } from "./config-schema.ts";
import { readStatus } from "./status.ts";

const keys = configSchema();

describe("the table of config keys", () => {
  test("has an entry for every key of the schema, and for no other", () => {
    expect(Object.keys(configKeys).toSorted()).toEqual(keys.map(({ path }) => path).toSorted());
    for (const { does, change } of Object.values(configKeys)) {
      expect(does).not.toBe("");
      expect(configChanges[change]).not.toBe("");
    }
  });

  test("the schema gives type, default and range", () => {
    const of = (path: string) => keys.find((key) => key.path === path);
    expect(of("teacher.passes")).toEqual({
      path: "teacher.passes",
      type: "1 or 2",
      fallback: "2",
      range: undefined,
      isRequired: false,
    });
    expect(of("teacher.maxConcurrency")).toMatchObject({ type: "whole number", range: "≥ 1, ≤ 1024" });
    expect(of("splits.certify")).toMatchObject({ fallback: "0.25", isRequired: false });
    expect(of("name")).toMatchObject({ isRequired: true });
    expect(of("output.kind")?.type).toBe('"choice" or "predicate" or "score"');
  });
});

type Definition = Readonly<Record<string, unknown>>;
const teacher = { model: "compatible/a", baseUrl: "http://127.0.0.1:1/v1" };
const base = { name: "fruit", input: "text", instructions: "Which?", teacher };
const target = { kind: "selective", risk: 0.1, delta: 0.2 };
const outputs = {
  choice: { kind: "choice", choices: [{ value: "apple" }, { value: "pear" }] },
  predicate: { kind: "predicate" },
  score: { kind: "score", levels: [{ label: "low" }, { label: "high" }] },
};
const shares = { train: 0.5, calibrate: 0.2, certify: 0.3 };

/** Another value than the default of each key; those that the schema alone can tell are worked out. */
// biome-ignore format: a table
const values: Definition = {
  name: "other", input: "record", instructions: "Which is it?", answer: "together", reference: "person", budgetUsd: 3,
  whenTeacherDown: "refuse", "columns.text": "body", "columns.features": { a: "number" }, "columns.gold": "truth",
  "columns.id": "key", "columns.ignore": ["x"], "columns.keep": ["x"], "columns.decimal": ",", "columns.dateOrder": "month-first", "teacher.model": "compatible/b", "teacher.secondModel": "compatible/b",
  "teacher.baseUrl": "http://127.0.0.1:2/v1", "teacher.apiKeyEnv": "KEY", "teacher.passes": 1,
  "student.trainer": "linear-text", "student.weights": "w.onnx", "student.weightsSha256": "0".repeat(64),
  "student.normalisation.mean": [0, 0, 0], "student.normalisation.std": [1, 1, 1], "student.augment": false,
  "student.xgboost.monotone_constraints": { a: 1 }, "student.text.words": false, "student.text.characters": false,
  "student.text.c": [1], "target.kind": "selective", "target.risk": 0.07, "target.delta": 0.05, "target.recall": { apple: 0.9 }, "target.never": ["apple"],
  "student.optimiser": "sgd", "student.finetune": "head", "student.rounds": "continue", "student.committee": "folds",
  "student.xgboost.tree_method": "exact", "student.xgboost.grow_policy": "lossguide", "student.text.classWeight": "balanced",
  "splits.train": 0.5, "splits.calibrate": 0.2, "splits.certify": 0.3,
};

const merged = (into: unknown, path: readonly string[], value: unknown): unknown => {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  const object = typeof into === "object" && into !== null ? into : {};
  return { ...object, [head]: merged(Reflect.get(object, head), rest, value) };
};

const outputOf = (path: string): Definition =>
  /levels/.test(path) ? outputs.score : /synonyms\.(true|false)/.test(path) ? outputs.predicate : outputs.choice;

/** A definition and the same with another value of one key. */
function pairFor(path: string): readonly [Definition, Definition] {
  const isOfField = path.startsWith("fields.") || path === "answer";
  const key = path.replace("fields.*.", "");
  const question = { instructions: "Which?", output: outputOf(key), target };
  const one = changed(question, key);
  if (path.startsWith("fields."))
    return [
      { ...base, fields: { a: question } },
      { ...base, fields: { a: one } },
    ];
  if (isOfField)
    return [
      { ...base, fields: { a: { ...question, target: undefined } } },
      { ...base, answer: "together", fields: { a: { ...question, target: undefined } } },
    ];
  const whole = {
    ...base,
    output: outputOf(key),
    ...(key.startsWith("target") && { target }),
    ...(key.startsWith("teacher.price") && {
      teacher: { ...teacher, price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 } },
    }),
    ...(key.startsWith("student.normalisation") && {
      student: { normalisation: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } },
    }),
  };
  return [whole, changed(whole, key)];
}

function changed(definition: Definition, key: string): Definition {
  if (key === "output.kind") return { ...definition, output: outputs.score };
  if (key.startsWith("output.choices"))
    return {
      ...definition,
      output: { kind: "choice", choices: [withPart({ value: "apple" }, key), { value: "pear" }] },
    };
  if (key.startsWith("output.levels"))
    return { ...definition, output: { kind: "score", levels: [withPart({ label: "low" }, key), { label: "high" }] } };
  if (key.startsWith("output.synonyms"))
    return { ...definition, output: { kind: "predicate", synonyms: { [key.split(".")[2]!]: ["sure"] } } };
  if (key.startsWith("splits.")) return { ...definition, splits: shares };
  if (key === "target.kind") return { ...definition, target: { ...target, kind: "regret" } };
  const value = key in values ? values[key] : numberFor(key);
  return merged(definition, key.split("."), value) as Definition; // of the table's own making
}

const withPart = (part: Definition, key: string): Definition => {
  const name = key.slice(key.lastIndexOf(".") + 1);
  return { ...part, [name]: name === "synonyms" ? ["other"] : "other" };
};

/** Inside the range, and not the default. */
function numberFor(key: string): number {
  const known = keys.find(({ path }) => path === key);
  if (known?.type === "whole number") return key === "student.imageSize" || key === "student.text.hashed" ? 16 : 7;
  return known?.fallback === "0.3" ? 0.4 : 0.3;
}

describe("a key that changes", () => {
  test.each(keys.map(({ path }) => path))("%s: does as the table says", async (path) => {
    const [before, after] = pairFor(path).map(parseAnyTask) as [AnyTask, AnyTask];
    expect(after).not.toEqual(before);
    const { change } = configKeys[path]!;
    expect(promptVersion(after) !== promptVersion(before)).toBe(change === "question");
    const store = await openTestStore(rowsOf(before));
    await checkConfig(store, before);
    // `columns.features` of a text task names the columns beside the text: its rows are refused where they are records.
    const checked =
      path === "columns.features" ? checkConfig(await openTestStore(records), after) : checkConfig(store, after);
    if (change === "data") await expect(checked).rejects.toMatchObject({ code: "config_changed" });
    else await checked;
  });

  test("nothing is refused before anything was ingested", async () => {
    const store = await openTestStore();
    for (const { path } of keys) await checkConfig(store, parseAnyTask(pairFor(path)[1]));
  });

  test.each(["target.risk", "target.delta", "target.kind", "reference"])(
    "%s after certification is said by status",
    async (path) => {
      const [before, after] = pairFor(path).map(parseTask);
      const store = await openTestStore(rowsOf(before!));
      await promote(store, before!, "m1", { target: before!.target, reference: before!.reference });
      expect((await readStatus(store, before!)).champion?.promiseChanged).toBeUndefined();
      expect((await readStatus(store, after!)).champion?.promiseChanged).toContain(path);
    },
  );
});

test("status says how many rows were reviewed since the newest model was trained", async () => {
  const task = parseTask({ ...base, output: outputs.choice });
  const [a, b] = textRows(2);
  const store = await openTestStore([a!, b!]);
  await promote(store, task);
  const review = (row: Row, person: string) =>
    ({ id: `${row.id} ${person}`, rowId: row.id, at: 5, annotator: "person", person, value: "pear" }) as const;
  expect((await readStatus(store, task)).newReviews).toBe(0);
  await store.annotations.put([review(a!, "ann"), review(a!, "bob"), review(b!, "ann")]);
  expect((await readStatus(store, task)).newReviews).toBe(2);
});

const rowsOf = ({ splits }: AnyTask): readonly Row[] =>
  textRows(200).map((row) => ({ ...row, split: splitOf(row.id, splits) }));

const records: readonly Row[] = [textRow("r", { input: { kind: "record", fields: { b: 1 } } })];
