import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { identityOfRecord, identityOfText, normaliseText } from "./identity.ts";

describe("texts", () => {
  test("are the same whatever the white space and the form of the characters", () => {
    const same = ["Café  au lait", " Cafe\u0301 au\tlait\r\n", "Ｃafé au\u00a0lait"];
    expect(new Set(same.map(identityOfText)).size).toBe(1);
  });

  test("differ by case, by a word, by an emoji, and from a record that says the same", () => {
    const texts = ["apple", "Apple", "apples", "apple 🍎", "苹果"];
    expect(new Set(texts.map(identityOfText)).size).toBe(texts.length);
    expect(identityOfRecord({ text: "apple" })).not.toBe(identityOfText("apple"));
  });

  test("that are normalised stay as they are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(normaliseText(normaliseText(text))).toBe(normaliseText(text));
      }),
    );
  });
});

describe("records", () => {
  test("are the same in any order of fields, with missing ones left out or null", () => {
    const same = [
      { age: 3, plan: "gold", note: null },
      { plan: " gold", age: 3 },
    ];
    expect(new Set(same.map(identityOfRecord)).size).toBe(1);
    expect(identityOfRecord({ x: -0 })).toBe(identityOfRecord({ x: 0 }));
  });

  test("differ by type, and no two spellings of fields and values run into each other", () => {
    const records = [
      { a: 1 },
      { a: "1" },
      { a: true },
      { a: "true" },
      { b: 1 },
      { a: "1", b: "2" },
      { a: '1","b":"2' },
    ];
    expect(new Set(records.map(identityOfRecord)).size).toBe(records.length);
  });
});
