import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Columns, readFields, readValue } from "./columns.ts";

const columns = (given: object = {}) => Columns.parse(given);

describe("a cell without a type", () => {
  test.each([
    ["3", 3],
    [" -2.5e3 ", -2500],
    ["-0", 0],
    ["0.10", 0.1],
    ["True", true],
    ["007", "007"],
    ["+5", "+5"],
    ["1,5", "1,5"],
    ["12345678901234567890", "12345678901234567890"],
    ["No phone service", "No phone service"],
    ["", null],
    ["  ", null],
    ["NaN", null],
    ["N/A", null],
    [Number.NaN, null],
    [undefined, null],
  ])("%j is %j", (given, value) => expect(readValue(given, "x")).toBe(value));

  test("that is a big integer is a number while it is exact", () => {
    expect([7n, 2n ** 60n].map((value) => readValue(value, "x"))).toEqual([7, "1152921504606846976"]);
  });

  test("means in a table what it means in JSON", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.integer()),
        (value) => {
          expect(readValue(JSON.stringify(value), "x")).toBe(readValue(value, "x"));
        },
      ),
    );
  });
});

describe("a cell that cannot be what it should be is refused by name", () => {
  test.each([
    ["inf", undefined, "value_not_finite"],
    ["-Infinity", "number", "value_not_finite"],
    ["1e400", undefined, "value_not_finite"],
    [Number.POSITIVE_INFINITY, undefined, "value_not_finite"],
    ["1.234,5", "number", "value_not_a_number"],
    ["maybe", "boolean", "value_not_a_boolean"],
    [{ a: 1 }, undefined, "value_not_scalar"],
    [[1], "category", "value_not_scalar"],
    ["x".repeat(100_001), undefined, "value_too_long"],
  ] as const)("%j as %s: %s", (given, type, code) => {
    const reading = () => readValue(given, "monthly charge", type);
    expect(reading).toThrow(expect.objectContaining({ code, message: expect.stringContaining("monthly charge") }));
  });
});

describe("fields", () => {
  test("leave out gold, ids and what is ignored", () => {
    const given = { age: "3", churn: "Yes", id: "c-1", note: "secret" };
    expect(readFields(columns({ gold: "churn", id: "id", ignore: ["note"] }), given)).toEqual({ age: 3 });
  });

  test("that are listed are read as listed, in that order; an absent one is missing", () => {
    const listed = columns({ features: { zip: "category", age: "number", vip: "boolean" } });
    expect(readFields(listed, { age: "+3", zip: "01234", other: 1 })).toEqual({ zip: "01234", age: 3, vip: null });
    expect(readFields(listed, { zip: 1234 })).toEqual({ zip: "1234", age: null, vip: null });
  });

  test("that nobody listed are refused where a request brings them", () => {
    const listed = columns({ features: { age: "number" }, gold: "churn" });
    expect(readFields(listed, { age: 1, churn: "No" }, { isStrict: true })).toEqual({ age: 1 });
    expect(() => readFields(listed, { age: 1, tenure: 2 }, { isStrict: true })).toThrow(/"tenure" is no feature/);
  });

  test("that hold NUL bytes are refused by name, whatever their type", () => {
    for (const given of ["pl\0us", "\0"]) {
      expect(() => readFields(columns(), { age: 3, plan: given })).toThrow(
        expect.objectContaining({ code: "text_binary", message: expect.stringContaining('"plan"') }),
      );
    }
  });

  test("that are all missing make no record", () => {
    expect(() => readFields(columns(), { a: "", b: null })).toThrow(expect.objectContaining({ code: "record_empty" }));
  });
});
