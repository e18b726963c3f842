/** @file N-grams of a text column: which of them are features, and how often a text has each. */

import { FlywheelError } from "../../errors.ts";
import { GramTable } from "../../text/gram-table.ts";
import { NgramReader } from "../../text/ngram-reader.ts";
import type { NgramOptions } from "../../text/options.ts";
import { Segmenter } from "../../text/segmenter.ts";
import { VocabularyBuilder } from "../../text/vocabulary-builder.ts";

/**
 * Of a column; those of the most texts. Which of them tell the classes apart the trees find out; choosing by the labels
 * here would let every row have a say in how it is judged out of fold. 33,831 sentences, 200 trees, accuracy: 256 grams
 * 66.0 %, 2,000 70.2 %, 8,000 69.9 %.
 */
const MOST_GRAMS = 4096;
/** Words and pairs of words. One that occurs in one text says nothing of another. */
const ngrams = {
  words: [1, 2],
  characters: undefined,
  minDocuments: 2,
  hashed: undefined,
} as const satisfies NgramOptions;

/** N-grams by how many texts have them, those of most first; folded to one spelling. Empty where none occurs twice. */
export function frequentGrams(texts: readonly string[]): readonly string[] {
  const builder = new VocabularyBuilder(
    ngrams,
    texts.reduce((sum, text) => sum + text.length, 0),
  );
  for (const text of texts) builder.observe(text);
  for (const text of texts) builder.count(text);
  try {
    return builder.finish().vocabulary.grams.slice(0, MOST_GRAMS);
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown) && thrown.code === "empty_vocabulary") return [];
    throw thrown;
  }
}

/** Marks of the table count entries of all texts read, within 31 bits. */
const MARKS_BEFORE_RESET = 2 ** 30;

export type GramCounter = {
  /** Writes to `vector[offset + i]` how often `text` has gram `i`, where it has it at all. */
  countInto(vector: Float32Array, offset: number, text: string): void;
};

export function createGramCounter(grams: readonly string[]): GramCounter {
  const reader = new NgramReader(ngrams);
  const table = tableOf(grams, reader);
  let numbers = new Int32Array(0);
  let counts = new Float32Array(0);
  let marked = 0;
  return {
    countInto(vector, offset, text) {
      reader.read(text);
      const most = Math.min(reader.count, grams.length);
      if (numbers.length < most) [numbers, counts] = [new Int32Array(2 * most), new Float32Array(2 * most)];
      if (marked > MARKS_BEFORE_RESET) {
        table.forgetMarks();
        marked = 0;
      }
      const end = table.tally(reader, { numbers, counts, start: 0, base: marked });
      marked += end;
      for (let entry = 0; entry < end; entry++) vector[offset + numbers[entry]!] = counts[entry]!;
    },
  };
}

/** A gram read as a text begins with itself: after its first word alone, where it has two. */
function tableOf(grams: readonly string[], reader: NgramReader): GramTable {
  const table = new GramTable(grams.length);
  for (const gram of grams) {
    reader.read(gram);
    const itself = reader.count > 1 ? 1 : 0;
    table.add(reader.low[itself]!, reader.high[itself]!);
  }
  return table;
}

/** Mean number of words, of the first texts. */
export function meanWords(texts: readonly string[]): number {
  const segmenter = new Segmenter();
  const total = texts.reduce((sum, text) => {
    segmenter.read(text);
    return sum + segmenter.tokenCount;
  }, 0);
  return texts.length === 0 ? 0 : total / texts.length;
}
