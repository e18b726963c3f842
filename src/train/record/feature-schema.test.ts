import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Columns } from "../../columns.ts";
import { rowId } from "../../records.ts";
import { createEncoder } from "./encode-record.ts";
import { type FeatureSchema, inferFeatures } from "./feature-schema.ts";
import type { Fields } from "./testing.ts";

const columns = (given: object = {}) => Columns.parse(given);
const rowsOf = (all: readonly Fields[]) => all.map((fields, index) => ({ id: rowId(`row-${index}`), fields }));
const infer = (all: readonly Fields[], given: object = {}) => inferFeatures(rowsOf(all), columns(given));
const repeat = (count: number, make: (index: number) => Fields) => Array.from({ length: count }, (_, at) => make(at));

function encode(schema: FeatureSchema, fields: Fields): number[] {
  const encoder = createEncoder(schema);
  const vector = new Float32Array(encoder.width);
  encoder.encodeInto(vector, 0, fields, "7");
  return [...vector];
}

describe("the types of columns", () => {
  test("are read from the rows that train", () => {
    const { schema, warnings } = infer([
      { n: 1, b: true, c: "x", zip: "007" },
      { n: 2.5, b: null, c: "y", zip: 12 },
    ]);
    expect(schema.features).toEqual([
      { name: "b", type: "boolean" },
      { name: "c", type: "category", categories: ["x", "y"] },
      { name: "n", type: "number" },
      { name: "zip", type: "category", categories: ["007", "12"] },
    ]);
    expect(warnings).toEqual([]);
  });

  test("are the task's where it gives them, in its order", () => {
    const { schema } = infer([{ n: 1, c: 3 }], { features: { n: "category", c: "number" } });
    expect(schema.features).toEqual([
      { name: "n", type: "category", categories: ["1"] },
      { name: "c", type: "number" },
    ]);
  });

  test("do not depend on the order of the rows", () => {
    const value = fc.oneof(fc.constantFrom("a", "b", "c", null), fc.integer({ min: 0, max: 3 }), fc.boolean());
    const records = fc.array(fc.record({ x: value, y: fc.integer() }), { minLength: 1 });
    fc.assert(
      fc.property(records, (all) => {
        expect(infer(all.toReversed()).schema).toEqual(infer(all).schema);
      }),
    );
  });
});

describe("columns that cannot be learned from are named", () => {
  const numbered = repeat(60, (index) => ({ n: index, id: `c-${index}`, empty: null }));

  test("nearly unique words, and nothing but missing values", () => {
    const { schema, warnings } = infer(numbered, { features: "auto" });
    expect(schema.features).toEqual([{ name: "n", type: "number" }]);
    expect(warnings.join("\n")).toMatch(/"empty" is ignored: all its values are missing/);
    expect(warnings.join("\n")).toMatch(/"id" is ignored: it is nearly unique \(60 different words in 60 rows\)/);
  });

  test("where there is no other, as an error", () => {
    const only = repeat(60, (index) => ({ id: `c-${index}`, empty: null }));
    expect(() => infer(only)).toThrow(
      expect.objectContaining({
        code: "no_features",
        message: expect.stringMatching(/"empty".*"id": it is nearly unique/),
      }),
    );
  });

  test("a category of the task's own wish is one, however many words it has", () => {
    expect(infer(numbered, { features: { id: "category" } }).schema.features).toHaveLength(1);
  });

  test("numbers with a few words among them: the first is shown with its row", () => {
    const { schema, warnings } = infer([...repeat(30, (n) => ({ n })), { n: "n.k." }]);
    expect(schema.features).toEqual([{ name: "n", type: "number" }]);
    expect(warnings[0]).toMatch(/column "n" holds numbers, but 1 of 31 values are words \(row row-30: "n\.k\."\)/);
  });

  test("more categories than trees can use: the most frequent are kept", () => {
    const { schema, warnings } = infer(repeat(2400, (index) => ({ c: `w${index % 1100}` })));
    expect(schema.features[0]).toMatchObject({ type: "category" });
    expect(warnings[0]).toMatch(/has 1100 categories/);
  });
});

describe("a column that is written as people write", () => {
  const cells = (column: readonly string[]) => repeat(column.length, (at) => ({ x: column[at]! }));
  const first = (column: readonly string[], given: object = {}) => {
    const { schema, warnings } = infer(cells(column), given);
    return { feature: schema.features[0], vector: encode(schema, { x: column[0]! }), warnings };
  };

  test.each([
    ["money", ["$1,180.24", "$231.61"], 1180.24],
    ["a decimal comma", ["1.180,24", "231,61"], 1180.24],
    ["a share", ["19%", "66.5%"], 19],
    ["spaces", ["1 234 567", "12 000"], 1234567],
    ["apostrophes", ["1’234.50", "3.25"], 1234.5],
    ["lakhs", ["12,34,567", "1,00,000"], 1234567],
    ["debts", ["(1,200.50)", "300.25"], -1200.5],
    ["a unit", ["12,5 kg", "7 kg"], 12.5],
    ["times of day", ["2:30 PM", "11:05 AM"], 52_200],
    ["durations", ["1h 30m", "45m"], 5_400],
  ])("%s: a number", (_what, column, value) => {
    const { feature, vector, warnings } = first(column);
    expect(feature).toMatchObject({ name: "x", type: "number" });
    expect(vector[0]).toBeCloseTo(value, 2);
    expect(warnings).toEqual([]);
  });

  test("dates are the day, the month, the day of the month, the weekday and, with a time, the hour", () => {
    expect(first(["22/07/2025", "03/04/2025"]).vector).toEqual([20291, 7, 22, 1]);
    expect(first(["07/22/2025", "03/04/2025"]).vector).toEqual([20291, 7, 22, 1]);
    expect(first(["2025-07-22T18:00:00+02:00", "2025-01-31T10:00:00Z"]).vector).toEqual([
      Math.fround(20291 + 16 / 24),
      7,
      22,
      1,
      18,
    ]);
  });

  test("two dates have a difference, in days, missing where one is", () => {
    const { schema } = infer([
      { ordered: "22/07/2025", shipped: "25/07/2025" },
      { ordered: "31/12/2024", shipped: "01/01/2025" },
    ]);
    const names = schema.features.map(({ name }) => name);
    expect(names).toEqual(["ordered", "shipped", "shipped − ordered (days)"]);
    expect(encode(schema, { ordered: "30/12/2024", shipped: "02/01/2025" }).at(-1)).toBe(3);
    expect(encode(schema, { shipped: "02/01/2025" }).at(-1)).toBeNaN();
    const encoder = createEncoder(schema);
    const twice = new Float32Array(2 * encoder.width);
    encoder.encodeInto(twice, 0, { ordered: "30/12/2024", shipped: "02/01/2025" }, "1");
    encoder.encodeInto(twice, encoder.width, { shipped: "02/01/2025" }, "2");
    expect(twice.at(-1)).toBeNaN();
  });

  test("what no value decides is said, and decided by the task where it says so", () => {
    const open = ["03/04/2025", "05/06/2025"];
    expect(first(open).warnings).toEqual([expect.stringMatching(/"x" holds date: no value says .*columns\.dateOrder/)]);
    const told = first(open, { dateOrder: "month-first" });
    expect([told.vector[1], told.warnings]).toEqual([3, []]);
    expect(first(["3,540", "8,241"]).warnings).toEqual([
      expect.stringMatching(/thousands or decimals: set columns\.decimal/),
    ]);
    expect(first(["3,540", "8,241"], { decimal: "," }).vector).toEqual([Math.fround(3.54)]);
  });

  test("what serving brings is read as training read it, another way of writing is refused", () => {
    const { schema } = infer(cells(["1.180,24 €", "231,61 €"]));
    expect(encode(schema, { x: "1.000,5 €" })).toEqual([1000.5]);
    expect(encode(schema, { x: 1000.5 })).toEqual([1000.5]);
    for (const x of ["1,000.5 €", "$1.000,5", "dear"]) {
      expect(() => encode(schema, { x })).toThrow(expect.objectContaining({ code: "feature_type_changed" }));
    }
  });

  test.each([
    ["postcodes", ["08845", "04636", "05264"]],
    ["codes", ["B2", "A7", "X1"]],
    ["addresses", ["192.168.1.1", "10.0.0.1"]],
    ["two currencies", ["$5", "€6"]],
    ["two ways at once", ["1,180.24", "1.180,24"]],
  ])("%s stay words", (_what, column) => {
    expect(first(column).feature).toMatchObject({ type: "category" });
  });
});

describe("a column of text", () => {
  const notes = [
    "please cancel my plan today, CANCEL it",
    "thank you for the good help today",
    "cancel nothing at all please",
  ];
  const all = repeat(60, (index) => ({ note: `${notes[index % 3]} (ticket ${1000 + index})`, n: index }));

  test("is known by its many different texts of several words; its words and pairs of words are counted", () => {
    const { schema, warnings } = infer(all);
    const note = schema.features.find(({ name }) => name === "note");
    expect(note).toMatchObject({ type: "text", grams: expect.arrayContaining(["cancel", "today", "my plan"]) });
    expect(warnings).toEqual([]);
    const grams = note?.type === "text" ? note.grams : [];
    const vector = encode(schema, { n: 1, note: "Cancel! I want to cancel, ＣＡＮＣＥＬ my plan." });
    expect(vector).toHaveLength(1 + grams.length);
    const found = grams.flatMap((gram, at) => (Number.isNaN(vector[1 + at]) ? [] : [[gram, vector[1 + at]]]));
    expect(Object.fromEntries(found)).toEqual({ cancel: 3, my: 1, plan: 1, "cancel my": 1, "my plan": 1 });
  });

  test("says the same of a text that is missing as of one without a known word", () => {
    expect(encode(infer(all).schema, { n: 1, note: "新しい 👩🏽‍🚀" })).toEqual(encode(infer(all).schema, { n: 1 }));
    expect(encode(infer(all).schema, { n: 1 }).slice(1).every(Number.isNaN)).toBe(true);
  });

  test("is one where the task says so, unless no word occurs twice", () => {
    const short = [{ note: "yes please" }, { note: "yes" }];
    expect(infer(short, { features: { note: "text" } }).schema.features).toEqual([
      { name: "note", type: "text", grams: ["yes"] },
    ]);
    expect(() => infer([{ note: "one" }, { note: "two" }], { features: { note: "text" } })).toThrow(
      expect.objectContaining({ code: "no_features", message: expect.stringMatching(/"note": no word occurs twice/) }),
    );
  });
});

describe("a record becomes numbers", () => {
  const { schema } = infer([
    { age: 30, vip: true, plan: "basic" },
    { age: 40, vip: false, plan: "plus" },
  ]);

  test("in the order of the schema, missing ones as NaN", () => {
    expect(encode(schema, { vip: true, age: 31, plan: "plus" })).toEqual([31, 1, 1]);
    expect(encode(schema, { vip: null })).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(encode(schema, { age: Number.NaN, plan: " basic " })).toEqual([Number.NaN, 0, Number.NaN]);
  });

  test("what JSON spells as text is read all the same", () => {
    expect(encode(schema, { age: "31.5", vip: "yes", plan: "plus" })).toEqual([31.5, 1, 1]);
  });

  test("a type that has changed is an error that names row and column", () => {
    expect(() => encode(schema, { age: "many" })).toThrow(
      expect.objectContaining({
        code: "feature_type_changed",
        message: expect.stringMatching(/row 7: column "age" .*"many"/),
      }),
    );
    expect(() => encode(schema, { vip: "perhaps" })).toThrow(expect.objectContaining({ code: "feature_type_changed" }));
  });

  test.each([Number.POSITIVE_INFINITY, -1e39])("%d, which no float32 holds, names row and column", (age) => {
    expect(() => encode(schema, { age })).toThrow(
      expect.objectContaining({ code: "feature_not_finite", message: expect.stringMatching(/row 7: column "age"/) }),
    );
  });

  test("columns and categories that training had not are told, and count for nothing", () => {
    const told: string[] = [];
    const encoder = createEncoder(schema, {
      onUnknownFeature: (name) => told.push(`feature ${name}`),
      onUnknownCategory: (name) => told.push(`category of ${name}`),
    });
    const vector = new Float32Array(3);
    encoder.encodeInto(vector, 0, { plan: "premium", shoe: 43, age: 1 }, "1");
    expect([...vector]).toEqual([1, Number.NaN, Number.NaN]);
    expect(told).toEqual(["category of plan", "feature shoe"]);
  });

  test("whatever order its fields come in", () => {
    const record = fc.record({ age: fc.integer(), vip: fc.boolean(), plan: fc.constantFrom("basic", "plus", "new") });
    fc.assert(
      fc.property(record, (fields) => {
        expect(encode(schema, Object.fromEntries(Object.entries(fields).reverse()))).toEqual(encode(schema, fields));
      }),
    );
  });
});
