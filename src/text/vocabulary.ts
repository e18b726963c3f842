/** @file The n-grams that are features, and what TF-IDF needs to know of each. */

import type { NgramOptions } from "./options.ts";

export type Vocabulary = {
  readonly options: NgramOptions;
  /** Texts that it was learned from. */
  readonly documents: number;
  /** Columns of words come first; within words, and within characters, the commonest first. */
  readonly wordColumns: number;
  /** Hashes of each n-gram, as `NgramReader` gives them. `[columns]` */
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** Texts that hold the n-gram. `[columns]` */
  readonly documentFrequency: Uint32Array;
  /** As written. `[columns]`, or empty where features are hashed. */
  readonly grams: readonly string[];
};

/** A matrix of term counts: how often each feature occurs in each text, in the form in which TF-IDF takes it. */
export type TermCounts = {
  readonly rows: number;
  readonly columns: number;
  readonly wordColumns: number;
  /** `[rows + 1]` */
  readonly starts: Int32Array;
  /** In each row, words come before characters. */
  readonly indices: Int32Array;
  /** 1 + ln(count): sublinear. */
  readonly frequencies: Float32Array;
};

export const columnsOf = ({ low }: Vocabulary): number => low.length;
