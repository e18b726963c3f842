/** @file Words of a text column: which of them are features, and how often a text has each. */

import { Segmenter } from "../../text/segmenter.ts";

/** Of a column; the most frequent ones. A tree tests one word at a time, and rare ones it seldom gets to. */
const MOST_WORDS = 256;
/** A word of one row says nothing of another. */
const FEWEST_ROWS = 2;

/** Words by how many texts have them, the most frequent first; folded to one spelling. */
export function frequentWords(texts: Iterable<string>): readonly string[] {
  const segmenter = new Segmenter();
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of new Set(wordsOf(text, segmenter))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count >= FEWEST_ROWS)
    .sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
    .slice(0, MOST_WORDS)
    .map(([word]) => word);
}

export type WordCounter = {
  /** Adds 1 to `vector[offset + i]` each time that `text` has word `i`. */
  countInto(vector: Float32Array, offset: number, text: string): void;
};

export function createWordCounter(words: readonly string[]): WordCounter {
  const segmenter = new Segmenter();
  const places = new Map(words.map((word, index) => [word, index]));
  return {
    countInto(vector, offset, text) {
      for (const word of wordsOf(text, segmenter)) {
        const place = places.get(word);
        if (place !== undefined) vector[offset + place]! += 1;
      }
    },
  };
}

/** Mean number of words, of the first texts. */
export function meanWords(texts: readonly string[]): number {
  const segmenter = new Segmenter();
  const total = texts.reduce((sum, text) => sum + wordsOf(text, segmenter).length, 0);
  return texts.length === 0 ? 0 : total / texts.length;
}

function wordsOf(text: string, segmenter: Segmenter): readonly string[] {
  segmenter.read(text);
  const { tokenCount, tokenStarts, tokenEnds } = segmenter;
  return Array.from({ length: tokenCount }, (_, token) => segmenter.textOf(tokenStarts[token]!, tokenEnds[token]!));
}
