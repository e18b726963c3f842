import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Columns } from "../../columns.ts";
import { createRng } from "../../math/random.ts";
import { rowId } from "../../records.ts";
import { openSqliteStore } from "../../store/sqlite.ts";
import { sampleRow } from "../../store/testing/samples.ts";
import { library, needsLibrary } from "../../xgboost/testing.ts";
import { trainStudent } from "../train-student.ts";
import { inferFeatures } from "./feature-schema.ts";
import { leaveOutOrder } from "./leave-out-order.ts";
import { loadRecordStudent } from "./load-record-student.ts";
import { type Fields, planTask } from "./testing.ts";

const N = 1_000;
/** Rows of a file that train: ids are hashes, so these are any of them. */
const SHARE = 0.6;

/** A file sorted by label, whose other columns are noise. */
type Sorted = { readonly at: number; readonly classIndex: number; readonly fields: Fields };

function sorted(fields: (at: number, rng: ReturnType<typeof createRng>) => Fields): readonly Sorted[] {
  const rng = createRng("sorted");
  return Array.from({ length: N }, (_, at) => ({
    at,
    classIndex: Number(at >= N / 2),
    fields: { noise: Math.round(1e6 * rng.normal()) / 1e4, age: 18 + rng.integer(60), ...fields(at, rng) },
  }));
}

function infer(rows: readonly Sorted[], given: object = {}) {
  const rng = createRng("train");
  const train = rows
    .filter(() => rng.next() < SHARE)
    .map(({ at, classIndex, fields }) => ({ place: { file: "a.csv", line: at + 2 }, classIndex, fields }));
  const records = train.map(({ fields }, index) => ({ id: rowId(`row-${index}`), fields }));
  const columns = Columns.parse(given);
  const { schema, warnings } = leaveOutOrder(inferFeatures(records, columns), { rows: train, records }, columns);
  return { schema, warnings, names: schema.features.map(({ name }) => name) };
}

function shuffled(count: number): readonly number[] {
  const rng = createRng("shuffle");
  return Array.from({ length: count }, (_, n) => [rng.next(), n] as const)
    .sort(([a], [b]) => a - b)
    .map(([, n]) => n);
}

describe("a file that is sorted by label", () => {
  const order = shuffled(N);
  test.each<[string, (at: number, rng: ReturnType<typeof createRng>) => Fields]>([
    ["row numbers", (at) => ({ x: at })],
    ["row numbers from behind", (at) => ({ x: 9_000 - at })],
    ["row numbers with gaps", (at, rng) => ({ x: at * 10 + rng.integer(9) })],
    ["long ids that rise", (at) => ({ x: 91_000_000_000 + 7 * at })],
    ["a shuffled index", (at) => ({ x: order[at]! })],
    ["an index that starts again", (at) => ({ x: at % 250 })],
    ["ids with a prefix", (at) => ({ x: `CUST-${String(at).padStart(6, "0")}` })],
    ["UUIDs", (at) => ({ x: `${(at * 2_654_435_761).toString(16)}-4aaa` })],
    ["positions", (at) => ({ x: at / N })],
    ["seconds since 1970", (at, rng) => ({ x: 1_750_000_000 + 60 * at + rng.integer(59) })],
    ["seconds since 1970 of clocks that disagree", (at, rng) => ({ x: 1_750_000_000 + 60 * at + rng.integer(300) })],
  ])("%s are not learned from, and that is said", (_what, fields) => {
    const { names, warnings } = infer(sorted(fields));
    expect(names).toEqual(["age", "noise"]);
    expect(warnings).toEqual([expect.stringMatching(/column "x" is ignored: /)]);
  });

  test("times of recording lose the day and keep the rest", () => {
    const { schema, warnings } = infer(sorted((at) => ({ x: new Date(1.75e12 + at * 9e5).toISOString() })));
    expect(schema.features.find(({ name }) => name === "x")).toMatchObject({
      parts: ["month", "day of month", "weekday", "hour"],
    });
    expect(warnings).toEqual([
      expect.stringMatching(/ignored but for its month.*says when the row was recorded.*columns\.keep: \["x"\]/),
    ]);
  });

  test("what the task keeps or lists stays, with a warning and the range that training had", () => {
    const rows = sorted((at) => ({ x: at }));
    for (const given of [{ keep: ["x"] }, { features: { noise: "number", age: "number", x: "number" } }]) {
      const { schema, warnings } = infer(rows, given);
      expect(schema.features.find(({ name }) => name === "x")).toMatchObject({
        range: [expect.any(Number), expect.any(Number)],
      });
      expect(warnings).toEqual([expect.stringMatching(/"x" is a feature by the task's wish, but/)]);
    }
  });

  test("where nothing else is there, nothing is trained", () => {
    const rows = sorted((at) => ({ x: at })).map((row) => ({ ...row, fields: { x: row.at } }));
    expect(() => infer(rows)).toThrow(
      expect.objectContaining({ code: "no_features", hint: expect.stringContaining("columns.keep") }),
    );
  });
});

describe("a real feature", () => {
  test.each<[string, string, (at: number, rng: ReturnType<typeof createRng>) => number]>([
    ["tenure", "tenure", (_, rng) => rng.integer(72)],
    ["a price", "price", (_, rng) => Math.round(100_000 * rng.next()) / 100],
    ["a salary", "salary", (_, rng) => Math.round(50_000 + 9_000 * rng.normal())],
    ["minutes of a day", "minutes", (_, rng) => rng.integer(1_440)],
  ])("such as %s stays", (_what, name, value) => {
    const { names, warnings } = infer(sorted((at, rng) => ({ [name]: value(at, rng) })));
    expect(names).toContain(name);
    expect(warnings).toEqual([]);
  });

  test.each(["tenure", "price"])("such as %s stays where a person sorted the file by it, and that is said", (name) => {
    const rng = createRng(name);
    const values = Array.from({ length: N }, () => (name === "price" ? rng.integer(1e6) / 100 : rng.integer(72))).sort(
      (a, b) => a - b,
    );
    const rows = sorted((at) => ({ [name]: values[at]! })).map((row) => ({ ...row, classIndex: rng.integer(2) }));
    const { schema, warnings } = infer(rows);
    expect(schema.features.find((feature) => feature.name === name)).toHaveProperty("range");
    expect(warnings).toEqual([expect.stringMatching(/the file is sorted by column/)]);
  });
});

describe.skipIf(!library)(`trees${needsLibrary}`, () => {
  test("learn nothing from the index of a file that is sorted by label; kept, it is strange beyond its range", async () => {
    const directory = await mkdtemp(join(tmpdir(), "flywheel-order-"));
    const store = await openSqliteStore({ directory });
    onTestFinished(async () => {
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    });
    const given = sorted((at) => ({ x: at })).filter(({ at }) => at % 2 === 0);
    const rows = given.map(({ at, fields }) =>
      sampleRow(`row ${at}`, { input: { kind: "record", fields }, source: `a.csv:${at + 2}` }),
    );
    await store.rows.put(rows);
    await store.labels.put(
      rows.map(({ id }, index) => ({
        rowId: id,
        value: String(given[index]!.classIndex === 0),
        weight: 1,
        basis: "agreed",
        at: 1,
      })),
    );
    const options = { store, seed: 1, clock: { now: () => 1, sleep: () => Promise.resolve() } };
    const small = { output: { kind: "predicate" }, student: { xgboost: { num_boost_round: 10 } } } as const;
    const card = await trainStudent({ ...options, task: planTask(small) });
    expect(card.options).toMatchObject({ ignored: [{ name: "x", why: expect.stringContaining("number the rows") }] });
    await using student = await loadRecordStudent(store.models.folder(card.id), { threads: 1 });
    const said = [0, 900].map((x) => [...student.predictRecord({ noise: 0, age: 30, x })]);
    expect(said[0]).toEqual(said[1]);
    const kept = await trainStudent({ ...options, task: planTask({ ...small, columns: { keep: ["x"] } }) });
    await using other = await loadRecordStudent(store.models.folder(kept.id), { threads: 1 });
    const [inside, beyond] = [500, 2_000].map((x) => other.noveltyOf!({ noise: 0, age: 30, x }));
    expect([inside! < 20, beyond! > 1e6]).toEqual([true, true]);
  });
});
