/**
 * @file Learns a vocabulary in two passes over the texts, in memory proportional to what it keeps.
 *
 * Most n-grams of a collection occur in one text only, and are no features. The first pass remembers those seen once as one
 * bit of a filter and takes into its table what is seen again; the second counts exactly, so that what a filter lets through
 * by chance is dropped and the vocabulary is that of a full count.
 */

import { FlywheelError } from "../errors.ts";
import { GramTable } from "./gram-table.ts";
import { NgramReader } from "./ngram-reader.ts";
import type { NgramOptions } from "./options.ts";
import type { TermCounts, Vocabulary } from "./vocabulary.ts";

export type Learned = { readonly vocabulary: Vocabulary; readonly counts: TermCounts };

const BITS_PER_CHARACTER = 8;
const FEWEST_BITS = 2 ** 16;
const MOST_BITS = 2 ** 31;
const DROPPED = -1;

/** `observe` every text, then `count` every text again in the same order, then `finish`. */
export class VocabularyBuilder {
  readonly #options: NgramOptions;
  readonly #reader: NgramReader;
  readonly #table = new GramTable();
  /** A bit for each hash seen. */
  readonly #seen: Uint8Array;
  /** By number of the n-gram. */
  readonly #isWord: boolean[] = [];
  readonly #grams: string[] = [];
  #observed = 0;

  #starts = Int32Array.of(0);
  #numbers = new Int32Array(0);
  #counts = new Float32Array(0);
  #rows = 0;
  #documentFrequency = new Uint32Array(0);

  /** @param characters of all the texts together, about: what the filter is sized by */
  constructor(options: NgramOptions, characters: number) {
    this.#options = options;
    this.#reader = new NgramReader({ ...options, isSpelt: options.hashed === undefined });
    const bits = Math.min(Math.max(BITS_PER_CHARACTER * characters, FEWEST_BITS), MOST_BITS);
    this.#seen = new Uint8Array(2 ** Math.ceil(Math.log2(bits)) / 8);
  }

  observe(text: string): void {
    const reader = this.#reader;
    reader.read(text);
    this.#observed += 1;
    for (let gram = 0; gram < reader.count; gram++) {
      if (this.#seenBefore(reader.low[gram]!, reader.high[gram]!)) this.#admit(gram);
    }
  }

  count(text: string): void {
    this.#reader.read(text);
    if (this.#rows === 0) this.#beginCounting();
    this.#reserve();
    const start = this.#starts[this.#rows]!;
    const [numbers, counts] = [this.#numbers, this.#counts];
    const end = this.#table.tally(this.#reader, { numbers, counts, start, base: 0 });
    for (let entry = start; entry < end; entry++) this.#documentFrequency[numbers[entry]!]! += 1;
    this.#starts[++this.#rows] = end;
  }

  /** @throws FlywheelError `empty_vocabulary` */
  finish(): Learned {
    if (this.#rows !== this.#observed) throw new RangeError(`${this.#observed} texts observed, ${this.#rows} counted`);
    const kept = this.#kept();
    if (kept.length === 0) throw emptyVocabulary(this.#rows, this.#options);
    const wordColumns = kept.findIndex((number) => !this.#isWord[number]);
    const vocabulary = this.#vocabulary(kept, wordColumns < 0 ? kept.length : wordColumns);
    return { vocabulary, counts: this.#termCounts(kept, vocabulary.wordColumns) };
  }

  #seenBefore(low: number, high: number): boolean {
    if (this.#options.minDocuments === 1) return true;
    const place = (low ^ Math.imul(high, 0x27d4eb2d)) >>> 0;
    const at = (place >>> 3) & (this.#seen.length - 1);
    const bit = 1 << (place & 7);
    const before = (this.#seen[at]! & bit) !== 0;
    this.#seen[at]! |= bit;
    return before;
  }

  #admit(gram: number): void {
    const reader = this.#reader;
    const known = this.#table.size;
    if (this.#table.add(reader.low[gram]!, reader.high[gram]!) < known) return;
    this.#isWord.push(gram < reader.wordCount);
    if (this.#options.hashed === undefined) this.#grams.push(reader.textOf(gram));
  }

  #beginCounting(): void {
    this.#documentFrequency = new Uint32Array(this.#table.size);
    this.#starts = new Int32Array(this.#observed + 1);
  }

  /** Room for every n-gram that the text being counted may have. */
  #reserve(): void {
    const needed = this.#starts[this.#rows]! + Math.min(this.#reader.count, this.#table.size);
    if (this.#numbers.length >= needed) return;
    const size = Math.max(Math.ceil(1.5 * this.#numbers.length), needed, 4096);
    this.#numbers = grown(this.#numbers, new Int32Array(size));
    this.#counts = grown(this.#counts, new Float32Array(size));
  }

  /** Numbers of the n-grams that are frequent enough: words first, then by falling frequency. */
  #kept(): Int32Array {
    const frequency = this.#documentFrequency;
    const enough = Int32Array.from(frequency.keys()).filter(
      (number) => frequency[number]! >= this.#options.minDocuments,
    );
    return enough.sort(
      (a, b) => Number(this.#isWord[b]) - Number(this.#isWord[a]) || frequency[b]! - frequency[a]! || a - b,
    );
  }

  #vocabulary(kept: Int32Array, wordColumns: number): Vocabulary {
    const numberOf = new Int32Array(this.#table.size).fill(DROPPED);
    kept.forEach((number, column) => {
      numberOf[number] = column;
    });
    const low = new Int32Array(kept.length);
    const high = new Int32Array(kept.length);
    this.#table.forEach((gramLow, gramHigh, number) => {
      const column = numberOf[number]!;
      if (column === DROPPED) return;
      low[column] = gramLow;
      high[column] = gramHigh;
    });
    const documentFrequency = Uint32Array.from(kept, (number) => this.#documentFrequency[number]!);
    const grams = this.#options.hashed === undefined ? Array.from(kept, (number) => this.#grams[number]!) : [];
    return { options: this.#options, documents: this.#rows, wordColumns, low, high, documentFrequency, grams };
  }

  /** In place: what was counted of n-grams that are dropped is overwritten by what follows. */
  #termCounts(kept: Int32Array, wordColumns: number): TermCounts {
    const columnOf = new Int32Array(this.#table.size).fill(DROPPED);
    kept.forEach((number, column) => {
      columnOf[number] = column;
    });
    const [numbers, counts, starts] = [this.#numbers, this.#counts, this.#starts];
    let end = 0;
    for (let row = 0, entry = 0; row < this.#rows; row++) {
      for (; entry < starts[row + 1]!; entry++) {
        const column = columnOf[numbers[entry]!]!;
        if (column === DROPPED) continue;
        numbers[end] = column;
        counts[end++] = 1 + Math.log(counts[entry]!);
      }
      starts[row + 1] = end;
    }
    const shape = { rows: this.#rows, columns: kept.length, wordColumns };
    return { ...shape, starts, indices: numbers.slice(0, end), frequencies: counts.slice(0, end) };
  }
}

function grown<A extends Int32Array | Float32Array>(from: A, into: A): A {
  into.set(from);
  return into;
}

function emptyVocabulary(documents: number, { minDocuments }: NgramOptions): FlywheelError {
  return new FlywheelError("empty_vocabulary", `no n-gram occurs in ${minDocuments} of ${documents} texts`, {
    hint: "add texts that have words in common, or lower student.text.minDocuments",
  });
}
