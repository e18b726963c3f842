/**
 * @file The n-grams of a text as 64-bit hashes, with no string made for any of them.
 *
 * Each is two 32-bit hashes that mix in one unit (or token) after the other; both steps are one to one in the state and in
 * the unit, so that short n-grams do not collide by construction and long ones by chance alone: with a million n-grams
 * known, one in 10^13 that is not would pass for one that is. Words come first, then characters; an n-gram that occurs
 * again is there again.
 */

import type { NgramOptions, NgramRange } from "./options.ts";
import { Segmenter } from "./segmenter.ts";

/** States that hashing starts from: the same letters as a word and as characters are two features. */
const seeds = { token: 0x2545f491, words: 0x1b873593, characters: 0x5bd1e995 } as const;
const LOW_FACTOR = 0x9e3779b1;
const HIGH_FACTOR = 0x85ebca6b;

const mixLow = (state: number, unit: number): number => {
  const mixed = Math.imul(state ^ unit, LOW_FACTOR);
  return mixed ^ (mixed >>> 15);
};

const mixHigh = (state: number, unit: number): number => {
  const mixed = Math.imul(state + unit, HIGH_FACTOR);
  return mixed ^ (mixed >>> 13);
};

export class NgramReader {
  /** Of the text read last. `[count]`, the first `wordCount` of them words. */
  low = new Int32Array(0);
  high = new Int32Array(0);
  wordCount = 0;
  count = 0;

  readonly #words: NgramRange | undefined;
  readonly #characters: NgramRange | undefined;
  readonly #hashed: number | undefined;
  readonly #segmenter = new Segmenter();
  /** Units (characters) or tokens (words) that the n-gram spans, both ends included. `[count]` */
  #first = new Int32Array(0);
  #last = new Int32Array(0);
  #tokenLow = new Int32Array(0);
  #tokenHigh = new Int32Array(0);

  constructor({ words, characters, hashed }: Pick<NgramOptions, "words" | "characters" | "hashed">) {
    this.#words = words;
    this.#characters = characters;
    this.#hashed = hashed;
  }

  /** Reads the n-grams of `text`. Takes any string: an empty one has none. */
  read(text: string): void {
    this.#segmenter.read(text);
    this.#reserve();
    this.count = 0;
    if (this.#words) this.#readWords(this.#words);
    this.wordCount = this.count;
    if (this.#characters) this.#readCharacters(this.#characters);
    if (this.#hashed !== undefined) this.#fold(this.#hashed);
  }

  /** N-gram `index` of the text read last, as written (a word n-gram with one space between its tokens). */
  textOf(index: number): string {
    const [first, last] = [this.#first[index]!, this.#last[index]!];
    if (index >= this.wordCount) return this.#segmenter.textOf(first, last + 1);
    const { tokenStarts, tokenEnds } = this.#segmenter;
    const tokens = Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
    return tokens.map((token) => this.#segmenter.textOf(tokenStarts[token]!, tokenEnds[token]!)).join(" ");
  }

  #reserve(): void {
    const { tokenCount, unitCount, gapCount } = this.#segmenter;
    const needed = lengthOf(this.#words) * tokenCount + lengthOf(this.#characters) * (unitCount + gapCount);
    if (this.#tokenLow.length < tokenCount) {
      this.#tokenLow = new Int32Array(2 * tokenCount);
      this.#tokenHigh = new Int32Array(2 * tokenCount);
    }
    if (this.low.length >= needed) return;
    this.low = new Int32Array(2 * needed);
    this.high = new Int32Array(2 * needed);
    this.#first = new Int32Array(2 * needed);
    this.#last = new Int32Array(2 * needed);
  }

  #readTokens(): void {
    const { units, tokenStarts, tokenEnds, tokenCount } = this.#segmenter;
    for (let token = 0; token < tokenCount; token++) {
      let low: number = seeds.token;
      let high: number = seeds.token;
      for (let at = tokenStarts[token]!, end = tokenEnds[token]!; at < end; at++) {
        low = mixLow(low, units[at]!);
        high = mixHigh(high, units[at]!);
      }
      this.#tokenLow[token] = low;
      this.#tokenHigh[token] = high;
    }
  }

  #readWords([least, most]: NgramRange): void {
    this.#readTokens();
    const { tokenCount } = this.#segmenter;
    const [tokenLow, tokenHigh] = [this.#tokenLow, this.#tokenHigh];
    for (let first = 0; first < tokenCount; first++) {
      let low: number = seeds.words;
      let high: number = seeds.words;
      for (let at = first, end = Math.min(first + most, tokenCount); at < end; at++) {
        low = mixLow(low, tokenLow[at]!);
        high = mixHigh(high, tokenHigh[at]!);
        if (at - first + 1 >= least) this.#put(low, high, first, at);
      }
    }
  }

  #readCharacters([least, most]: NgramRange): void {
    const { gaps, gapCount } = this.#segmenter;
    for (let word = 0; word + 1 < gapCount; word++) {
      const [first, last] = [gaps[word]!, gaps[word + 1]!];
      // A word that is shorter than every n-gram is one all the same, once, as in scikit-learn.
      const shortest = Math.min(least, last - first + 1);
      for (let start = first; start + shortest - 1 <= last; start++) {
        this.#readFrom(start, { shortest, end: Math.min(start + most - 1, last) });
      }
    }
  }

  #readFrom(start: number, { shortest, end }: { readonly shortest: number; readonly end: number }): void {
    const { units } = this.#segmenter;
    let low: number = seeds.characters;
    let high: number = seeds.characters;
    for (let at = start; at <= end; at++) {
      low = mixLow(low, units[at]!);
      high = mixHigh(high, units[at]!);
      if (at - start + 1 >= shortest) this.#put(low, high, start, at);
    }
  }

  #put(low: number, high: number, first: number, last: number): void {
    const index = this.count++;
    this.low[index] = low;
    this.high[index] = high;
    this.#first[index] = first;
    this.#last[index] = last;
  }

  /** Hashed features: the bits are the name; `high` only tells words from characters. */
  #fold(bits: number): void {
    const mask = 2 ** bits - 1;
    for (let index = 0; index < this.count; index++) {
      this.low[index]! &= mask;
      this.high[index] = index < this.wordCount ? 0 : 1;
    }
  }
}

const lengthOf = (range: NgramRange | undefined): number => (range ? range[1] - range[0] + 1 : 0);
