/**
 * @file The n-grams of a text as 64-bit hashes, with no string made for any of them.
 *
 * Each is two 32-bit hashes that mix in one unit (or token) after the other; both steps are one to one in the state and in
 * the unit, so that short n-grams do not collide by construction and long ones by chance alone: with a million n-grams
 * known, one in 10^13 that is not would pass for one that is. Words come first, then characters; an n-gram that occurs
 * again is there again.
 */

import { roomFor } from "./buffer.ts";
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

export type NgramReaderOptions = Pick<NgramOptions, "words" | "characters" | "hashed"> & {
  /** Whether `textOf` will be asked. Default false. */
  readonly isSpelt?: boolean;
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

  readonly #isSpelt: boolean;

  constructor({ words, characters, hashed, isSpelt = false }: NgramReaderOptions) {
    this.#isSpelt = isSpelt;
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

  /**
   * N-gram `index` of the text read last, as written (a word n-gram with one space between its tokens).
   * @throws RangeError unless `isSpelt`
   */
  textOf(index: number): string {
    if (!this.#isSpelt) throw new RangeError("this reader does not keep where n-grams are");
    const [first, last] = [this.#first[index]!, this.#last[index]!];
    if (index >= this.wordCount) return this.#segmenter.textOf(first, last + 1);
    const { tokenStarts, tokenEnds } = this.#segmenter;
    const tokens = Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
    return tokens.map((token) => this.#segmenter.textOf(tokenStarts[token]!, tokenEnds[token]!)).join(" ");
  }

  #reserve(): void {
    const { tokenCount, unitCount, gapCount } = this.#segmenter;
    const needed = lengthOf(this.#words) * tokenCount + lengthOf(this.#characters) * (unitCount + gapCount);
    this.#tokenLow = roomFor(this.#tokenLow, tokenCount);
    this.#tokenHigh = roomFor(this.#tokenHigh, tokenCount);
    this.low = roomFor(this.low, needed);
    this.high = roomFor(this.high, needed);
    if (!this.#isSpelt) return;
    this.#first = roomFor(this.#first, needed);
    this.#last = roomFor(this.#last, needed);
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
        if (at - first + 1 < least) continue;
        if (this.#isSpelt) this.#span(this.count, first, at);
        this.low[this.count] = low;
        this.high[this.count++] = high;
      }
    }
  }

  /** The hottest loop of all: everything that it touches is a local. */
  #readCharacters([least, most]: NgramRange): void {
    const { gaps, gapCount, units } = this.#segmenter;
    const { low: lows, high: highs } = this;
    const isSpelt = this.#isSpelt;
    let count = this.count;
    for (let word = 0; word + 1 < gapCount; word++) {
      const first = gaps[word]!;
      const last = gaps[word + 1]!;
      // A word that is shorter than every n-gram is one all the same, once, as in scikit-learn.
      const shortest = Math.min(least, last - first + 1);
      for (let start = first; start + shortest - 1 <= last; start++) {
        const shortestEnd = start + shortest - 1;
        const end = Math.min(start + most - 1, last);
        let low: number = seeds.characters;
        let high: number = seeds.characters;
        for (let at = start; at <= end; at++) {
          low = mixLow(low, units[at]!);
          high = mixHigh(high, units[at]!);
          if (at < shortestEnd) continue;
          lows[count] = low;
          highs[count] = high;
          if (isSpelt) this.#span(count, start, at);
          count++;
        }
      }
    }
    this.count = count;
  }

  #span(index: number, first: number, last: number): void {
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
