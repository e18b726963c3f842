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
    const { schema, warnings } = infer([...repeat(30, (n) => ({ n })), { n: "1,5" }]);
    expect(schema.features).toEqual([{ name: "n", type: "number" }]);
    expect(warnings[0]).toMatch(/column "n" holds numbers, but 1 of 31 values are words \(row row-30: "1,5"\)/);
  });

  test("more categories than trees can use: the most frequent are kept", () => {
    const { schema, warnings } = infer(repeat(2400, (index) => ({ c: `w${index % 1100}` })));
    expect(schema.features[0]).toMatchObject({ type: "category" });
    expect(warnings[0]).toMatch(/has 1100 categories/);
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
