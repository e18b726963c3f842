import fc from "fast-check";
import { expect, test } from "vitest";
import { Segmenter } from "../../text/segmenter.ts";
import { createGramCounter, frequentGrams } from "./count-grams.ts";

/** Word 1- and 2-grams with their counts, by the book. */
function countsOf(text: string): ReadonlyMap<string, number> {
  const segmenter = new Segmenter();
  segmenter.read(text);
  const { tokenCount, tokenStarts, tokenEnds } = segmenter;
  const words = Array.from({ length: tokenCount }, (_, at) => segmenter.textOf(tokenStarts[at]!, tokenEnds[at]!));
  const counts = new Map<string, number>();
  for (const [at, word] of words.entries()) {
    for (const gram of at === 0 ? [word] : [word, `${words[at - 1]} ${word}`]) {
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
  }
  return counts;
}

const word = fc.constantFrom(
  "cancel",
  "my",
  "plan",
  "ＣＡＮＣＥＬ",
  "銀行",
  "👩🏽‍🚀",
  "🇬🇧",
  "été",
  "e\u0301te\u0301",
  "שלום",
  "007",
);
const anyText = fc.oneof(
  fc.array(word, { maxLength: 12 }).map((words) => words.join(" ")),
  fc.string({ unit: "grapheme" }),
);
const texts = fc.array(anyText, { minLength: 1, maxLength: 12 });

test("the grams of two texts and more, counted in any text as by the book", () => {
  fc.assert(
    fc.property(texts, anyText, (known, asked) => {
      const all = known.map(countsOf);
      const documents = (gram: string): number => all.filter((counts) => counts.has(gram)).length;
      const grams = frequentGrams(known);
      const expected = new Set(all.flatMap((counts) => [...counts.keys()]).filter((gram) => documents(gram) >= 2));
      expect(new Set(grams)).toEqual(expected);
      expect(grams.map(documents)).toEqual(grams.map(documents).toSorted((a, b) => b - a));

      const counter = createGramCounter(grams);
      for (const text of [asked, ...known]) {
        const vector = new Float32Array(grams.length + 1).fill(Number.NaN);
        counter.countInto(vector, 1, text);
        const own = countsOf(text);
        expect([...vector.subarray(1)]).toEqual(grams.map((gram) => own.get(gram) ?? Number.NaN));
      }
    }),
  );
});

test("of more than 4,096 the most frequent are kept", () => {
  const numbers = Array.from({ length: 5000 }, (_, at) => `w${at}`);
  const grams = frequentGrams([
    numbers.join(" "),
    numbers.toReversed().join(" "),
    "w4999 and w4999",
    "and w4999",
    "and",
  ]);
  expect(grams).toHaveLength(4096);
  expect(grams.slice(0, 2)).toEqual(["w4999", "and"]);
});
