import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSpellingReader, findClash, foldLabel, plainSpelling } from "./label-spelling.ts";

const reader = (...values: string[]) => createSpellingReader(values.map((value) => ({ value, synonyms: [] })));

/** What is given, among which labels, and what it means. */
const cases: readonly (readonly [string, readonly string[], string | undefined])[] = [
  // signs
  ["-1", ["0", "1"], undefined],
  ["−1", ["-1", "0", "1"], "-1"],
  ["–1", ["-1", "0", "1"], "-1"],
  ["- 1", ["0", "1"], undefined],
  ["+1", ["-1", "0", "1"], undefined],
  ["A-", ["A+", "A", "A-"], "A-"],
  ["a−", ["A+", "A", "A-"], "A-"],
  ["A*", ["A", "B"], undefined],
  // digits and numbers
  ["1.0", ["0", "1"], "1"],
  ["-0.0", ["0", "1"], "0"],
  ["1", ["0.0", "1.0"], "1.0"],
  ["1.5", ["1", "15", "1 5"], undefined],
  ["10", ["1.0", "100"], undefined],
  ["1-2", ["12", "1 2"], undefined],
  ["1/2", ["1 2"], undefined],
  ["10²", ["102", "10"], undefined],
  ["１", ["0", "1"], "1"],
  ["(100)", ["100"], undefined],
  // currency and percent
  ["$5", ["5", "10"], undefined],
  ["5%", ["5", "10"], undefined],
  ["€5", ["$5", "£5"], undefined],
  // marks: folded in Latin, Greek and Cyrillic alone, where one of the two has none
  ["बोल", ["बिल", "बल"], undefined],
  ["बल", ["बिल", "बल"], "बल"],
  ["がく", ["かく"], undefined],
  ["กา", ["ก่า"], undefined],
  ["cafe", ["café", "bar"], "café"],
  ["CAFÉ", ["cafe", "bar"], "cafe"],
  ["mà", ["má", "ba"], undefined],
  ["ma", ["má", "mà"], undefined],
  ["Δοκιμη", ["δοκιμή"], "δοκιμή"],
  ["елка", ["ёлка"], "ёлка"],
  ["мои", ["мой", "твой"], undefined],
  // the capital of a dotless i
  ["SIKINTI", ["sıkıntı", "soru"], "sıkıntı"],
  ["KIZ", ["kız", "kiz"], undefined],
  ["kız", ["kız", "kiz"], "kız"],
  // what cannot be seen
  ["\u200fمرحبا\u200f", ["مرحبا", "وداعا"], "مرحبا"],
  ["مرحبـــا", ["مرحبا", "وداعا"], "مرحبا"],
  ["❤", ["❤\ufe0f", "👎"], "❤\ufe0f"],
  ["क्\u200dष", ["क्ष", "कष"], undefined],
  // form
  ['"Sweet Pepper".', ["sweet_pepper", "apple"], "sweet_pepper"],
  ["**billing**", ["billing", "card"], "billing"],
  ["- Billing", ["billing", "card"], "billing"],
  ["covid 19", ["covid-19", "flu"], "covid-19"],
  ["loan personal", ["loan (personal)", "loan"], "loan (personal)"],
  ["STRASSE", ["Straße", "Weg"], "Straße"],
  ["c", ["C", "C++", "C#"], "C"],
  ["YES", ["Yes", "yes"], undefined],
  ["yes", ["Yes", "yes"], "yes"],
  ["spam?", ["spam", "ham"], undefined],
  ["!spam", ["spam", "ham"], undefined],
  ["good 👎", ["good 👍", "good"], undefined],
];

describe("createSpellingReader", () => {
  test.each(cases)("%j among %j means %j", (given, labels, meant) => {
    expect(reader(...labels)(given)).toBe(meant);
  });

  test("a synonym of one label never takes another label's own spelling", () => {
    const labels = [
      { value: "bank", synonyms: ["shore"] },
      { value: "Shore", synonyms: [] },
    ];
    expect(["shore", "Shore", "SHORE"].map(createSpellingReader(labels))).toEqual(["bank", "Shore", undefined]);
  });

  test("labels that differ after NFC and trimming are never read as each other", () => {
    const alphabets = [
      "abeéèAEß",
      "+-−–.,01259%$€#*()/ ",
      "बलिोकडार्",
      "кийёе\u0301",
      "かがハバｶﾞ",
      "กา่้",
      "אבָּג",
      "عَلِم",
      "αάςσΣ",
      "👍👎🏽",
      "１２ａＡ－",
    ];
    const word = fc
      .constantFrom(...alphabets, alphabets.join(""))
      .chain((letters) => fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 4 }))
      .map((letters) => letters.join(""));
    fc.assert(
      fc.property(word, word, fc.constantFrom("", " ", "\t", "\u00a0"), (one, other, space) => {
        fc.pre(plainSpelling(one) !== plainSpelling(other));
        const read = reader(one, other);
        for (const form of ["NFC", "NFD"] as const) {
          expect(read(`${space}${one.normalize(form)}${space}`)).toBe(one);
          expect(read(`${space}${other.normalize(form)}${space}`)).toBe(other);
        }
      }),
      { numRuns: 100_000, seed: 14 },
    );
  });

  test("folding never empties a label", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }), (text) => {
        expect(foldLabel(text)).not.toBe("");
      }),
      { numRuns: 5_000, seed: 14 },
    );
  });
});

test("only spellings that are the same to a reader clash", () => {
  const clash = (...values: string[]) => findClash(values.map((value) => ({ value, synonyms: [] })));
  expect(clash("-1", "0", "1")).toBeUndefined();
  expect(clash("A", "A-", "A+")).toBeUndefined();
  expect(clash("caf\u00e9", "cafe\u0301")).toEqual({ spelling: "café", labels: ["caf\u00e9", "cafe\u0301"] });
});
