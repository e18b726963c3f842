import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NgramReader } from "./ngram-reader.ts";
import { checkNgrams, defaultNgrams, type NgramOptions } from "./options.ts";

const read = (text: string, options: Partial<NgramOptions>): string[] => {
  const reader = new NgramReader({ ...defaultNgrams, ...options, isSpelt: true });
  reader.read(text);
  return Array.from({ length: reader.count }, (_, index) => reader.textOf(index));
};
const tokens = (text: string): string[] => read(text, { words: [1, 1], characters: undefined });
const characters = (text: string): string[] => read(text, { words: undefined, characters: [3, 3] });

describe("tokens", () => {
  test.each([
    ["English", "The cat's 2nd hat, I say", ["the", "cat", "2nd", "hat", "say"]],
    ["full-width letters, ligatures", "ＦＵＬＬ ﬁne", ["full", "fine"]],
    ["accents in one part or two", "caf\u00e9 cafe\u0301", ["café", "café"]],
    [
      "Chinese and Japanese, a character each",
      "我的card丢了、カード",
      ["我", "的", "card", "丢", "了", "カ", "ー", "ド"],
    ],
    ["Korean, by its spaces", "카드 분실", ["카드", "분실"]],
    ["Arabic and Hebrew", "أين بطاقتي؟ הכרטיס שלי", ["أين", "بطاقتي", "הכרטיס", "שלי"]],
    ["Hindi and Thai, marks and all", "मेरा कार्ड บัตรของฉัน", ["मेरा", "कार्ड", "บัตรของฉัน"]],
    ["Persian with its joiner", "می\u200cخواهم", ["می\u200cخواهم"]],
    ["emoji, with all that belongs to each", "ok 👩🏽‍🚀👍🏽🇩🇪🇫🇷 ❤️‍🔥", ["ok", "👩🏽‍🚀", "👍🏽", "🇩🇪", "🇫🇷", "❤‍🔥"]],
    ["an emoji with or without its selector", "❤️❤", ["❤", "❤"]],
    ["NUL bytes and other controls as spaces", "one\0two\u0007three", ["one", "two", "three"]],
    ["invisible characters as nothing", "\u202bsoft\u00adhyphen\u202c \ufeffbom", ["softhyphen", "bom"]],
    ["lone surrogates as no letters", "left\ud83d right\udc00", ["left", "right"]],
  ])("%s", (_, text, expected) => {
    expect(tokens(text)).toEqual(expected);
  });

  test("no text at all has no n-grams", () => {
    for (const text of ["", " ", "\0", "\u200b\n\t"]) expect(read(text, {})).toEqual([]);
  });
});

test("n-grams of characters stay within a word and the spaces around it", () => {
  expect(characters("go to  it.")).toEqual([" go", "go ", " to", "to ", " it", "it.", "t. "]);
  expect(read("a", { words: undefined, characters: [4, 5] })).toEqual([" a "]);
  expect(characters("👩🏽‍🚀🇩🇪")).toEqual([" 👩🏽‍🚀🇩🇪", "👩🏽‍🚀🇩🇪 "]);
});

test("different n-grams have different hashes, the same one always the same", () => {
  const seen = new Map<string, string>();
  const reader = new NgramReader({ ...defaultNgrams, isSpelt: true });
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
      reader.read(text);
      for (let index = 0; index < reader.count; index++) {
        const name = `${index < reader.wordCount} ${reader.textOf(index)}`;
        const hash = `${reader.low[index]} ${reader.high[index]}`;
        expect(seen.get(hash) ?? name).toBe(name);
        seen.set(hash, name);
      }
    }),
  );
  expect(seen.size).toBeGreaterThan(1000);
});

test("a cell of ten megabytes is read whole", () => {
  const reader = new NgramReader(defaultNgrams);
  reader.read("0123456789 ".repeat(1_000_000));
  expect(reader.wordCount).toBe(2_000_000 - 1);
  reader.read("and gives its memory back");
  expect(reader.low.length).toBeLessThan(1000);
});

test("options that make no features are refused", () => {
  const check = (options: Partial<NgramOptions>) => () => checkNgrams({ ...defaultNgrams, ...options });
  expect(check({ words: undefined, characters: undefined })).toThrow("neither words nor characters");
  expect(check({ words: [2, 1] })).toThrow("1 ≤ least ≤ most");
  expect(check({ characters: [0, 3] })).toThrow("1 ≤ least ≤ most");
  expect(check({ minDocuments: 0 })).toThrow("minDocuments");
  expect(check({ hashed: 30 })).toThrow("8 to 24");
});
