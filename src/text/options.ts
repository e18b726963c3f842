/** @file Which n-grams are features. */

import { FlywheelError } from "../errors.ts";

/** Fewest and most parts of an n-gram. */
export type NgramRange = readonly [least: number, most: number];

export type NgramOptions = {
  /** Of tokens. Absent: none. */
  readonly words: NgramRange | undefined;
  /** Of characters within a word and the space before and after it (scikit-learn's `char_wb`). Absent: none. */
  readonly characters: NgramRange | undefined;
  /** Rarer n-grams, counted in texts, are no features. */
  readonly minDocuments: number;
  /**
   * Bits of the hash that names a feature: 2^bits features at most for words, and as many for characters, whatever the
   * texts hold; unlike n-grams may meet in one. Absent: a feature for each n-gram.
   */
  readonly hashed: number | undefined;
};

/** scikit-learn's usual recipe for text (SCIENCE §6). */
export const defaultNgrams: NgramOptions = {
  words: [1, 2],
  characters: [3, 5],
  minDocuments: 2,
  hashed: undefined,
};

/** @throws FlywheelError `invalid_ngrams` */
export function checkNgrams(options: NgramOptions): NgramOptions {
  const { words, characters, minDocuments, hashed } = options;
  if (!words && !characters) throw invalid("neither words nor characters are features");
  for (const [name, range] of Object.entries({ words, characters })) {
    if (range && !(isCount(range[0]) && isCount(range[1]) && range[0] <= range[1])) {
      throw invalid(`${name} must be [least, most] with 1 ≤ least ≤ most, got [${range}]`);
    }
  }
  if (!isCount(minDocuments)) throw invalid(`minDocuments must be an integer of at least 1, got ${minDocuments}`);
  if (hashed !== undefined && !(isCount(hashed) && hashed >= 8 && hashed <= 24)) {
    throw invalid(`hashed must be a number of bits from 8 to 24, got ${hashed}`);
  }
  return options;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;

function invalid(message: string): FlywheelError {
  return new FlywheelError("invalid_ngrams", message, { hint: "mend student.text in the task" });
}
