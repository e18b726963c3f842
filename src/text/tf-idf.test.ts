import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { defaultNgrams, type NgramOptions } from "./options.ts";
import { TextEncoder } from "./text-encoder.ts";
import { inverseDocumentFrequency, weighTerms } from "./tf-idf.ts";
import { VocabularyBuilder } from "./vocabulary-builder.ts";

type Vectoriser = {
  readonly minDocuments: number;
  readonly words: [number, number];
  readonly characters: [number, number];
  readonly features: number;
  readonly rows: Record<string, number>[];
};

const golden = readGolden<{ readonly texts: string[]; readonly vectorisers: Vectoriser[] }>("text-tf-idf");
const { texts, vectorisers } = golden.cases;

function learn(from: readonly string[], options: NgramOptions) {
  const builder = new VocabularyBuilder(options, from.join("").length);
  for (const text of from) builder.observe(text);
  for (const text of from) builder.count(text);
  return builder.finish();
}

describe.each(vectorisers)("n-grams $words, $characters in $minDocuments texts", ({ features, rows, ...options }) => {
  const { vocabulary, counts } = learn(texts, { ...options, hashed: undefined });
  const nameOf = (column: number): string =>
    `${column < vocabulary.wordColumns ? "words" : "characters"}:${vocabulary.grams[column]}`;

  test("are the features of scikit-learn's two vectorisers", () => {
    expect(vocabulary.grams).toHaveLength(features);
    const names = Array.from(vocabulary.grams.keys(), nameOf);
    expect(new Set(names).size).toBe(features);
    for (const row of rows) for (const name of Object.keys(row)) expect(names).toContain(name);
  });

  test("have scikit-learn's values, learned from or encoded", () => {
    const { starts, indices, values } = weighTerms(counts, inverseDocumentFrequency(vocabulary));
    const encoder = new TextEncoder(vocabulary);
    rows.forEach((row, index) => {
      const [start, end] = [starts[index]!, starts[index + 1]!];
      const names = Array.from(indices.subarray(start, end), nameOf);
      expect(names.toSorted()).toEqual(Object.keys(row).toSorted());
      expectClose(
        values.subarray(start, end),
        names.map((name) => row[name]!),
        golden,
      );
      encoder.encode(texts[index]!);
      expect([...encoder.columns.subarray(0, encoder.count)]).toEqual([...indices.subarray(start, end)]);
      expect([...encoder.values.subarray(0, encoder.count)]).toEqual([...values.subarray(start, end)]);
    });
  });
});

test("a fold weighs terms as if its texts were all there are", () => {
  const part = texts.slice(0, 10);
  const { vocabulary, counts } = learn(texts, defaultNgrams);
  const documentFrequency = vocabulary.documentFrequency.slice();
  for (const column of counts.indices.subarray(counts.starts[10]!)) documentFrequency[column]! -= 1;
  const idf = inverseDocumentFrequency({ documents: 10, documentFrequency, minDocuments: 2 });
  const whole = weighTerms(counts, idf);
  const alone = learn(part, defaultNgrams);
  const expected = weighTerms(alone.counts, inverseDocumentFrequency(alone.vocabulary));
  const byName = ({ grams, wordColumns }: typeof vocabulary, matrix: typeof whole, row: number) =>
    Object.fromEntries(
      Array.from(matrix.indices.subarray(matrix.starts[row], matrix.starts[row + 1]), (column, offset) => [
        `${column < wordColumns} ${grams[column]}`,
        matrix.values[matrix.starts[row]! + offset],
      ]).filter(([, value]) => value !== 0),
    );
  for (const row of part.keys()) {
    expect(byName(vocabulary, whole, row)).toEqual(byName(alone.vocabulary, expected, row));
  }
});

test("encoding many texts is encoding them one by one", () => {
  const encoder = new TextEncoder(learn(texts, defaultNgrams).vocabulary);
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(fc.constantFrom(...texts), fc.string({ unit: "grapheme" }), fc.constantFrom("", "\0", "\ud800 left")),
        { maxLength: 6 },
      ),
      (some) => {
        const { starts, indices, values } = encoder.encodeAll(some);
        some.forEach((text, row) => {
          encoder.encode(text);
          expect([...encoder.columns.subarray(0, encoder.count)]).toEqual([
            ...indices.subarray(starts[row]!, starts[row + 1]!),
          ]);
          expect([...encoder.values.subarray(0, encoder.count)]).toEqual([
            ...values.subarray(starts[row]!, starts[row + 1]!),
          ]);
        });
      },
    ),
    { numRuns: 30 },
  );
});

test("hashed features are as many as the bits allow, and have length 1 as well", () => {
  const { vocabulary, counts } = learn(texts, { ...defaultNgrams, hashed: 8 });
  expect(vocabulary.low.length).toBeLessThanOrEqual(2 * 2 ** 8);
  expect(vocabulary.grams).toHaveLength(0);
  const { starts, values } = weighTerms(counts, inverseDocumentFrequency(vocabulary));
  const squares = values.subarray(starts[0]!, starts[1]!).reduce((sum, value) => sum + value * value, 0);
  expect(squares).toBeCloseTo(2, 5);
});

test("texts without anything in common are refused", () => {
  expect(() => learn(["", "  "], defaultNgrams)).toThrow("no n-gram occurs in 2 of 2 texts");
  expect(() => learn([], defaultNgrams)).toThrow("no n-gram occurs in 2 of 0 texts");
});
