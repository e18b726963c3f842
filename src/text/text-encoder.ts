/** @file A text as TF-IDF features of a vocabulary that is known. */

import type { SparseMatrix } from "../math/sparse.ts";
import { GramTable } from "./gram-table.ts";
import { NgramReader } from "./ngram-reader.ts";
import { inverseDocumentFrequency, weighBlock } from "./tf-idf.ts";
import { columnsOf, type Vocabulary } from "./vocabulary.ts";

/** The marks of the table count entries of all texts read; long before they run out of 31 bits they start again. */
const MARKS_BEFORE_RESET = 2 ** 30;

/** Sublinear frequencies of the usual counts. */
const logarithms = Float32Array.from({ length: 64 }, (_, count) => (count === 0 ? 0 : 1 + Math.log(count)));

export class TextEncoder {
  /** Features of the text counted last: column and sublinear frequency. `[count]`, the first `wordCount` of them words. */
  columns = new Int32Array(0);
  frequencies = new Float32Array(0);
  wordCount = 0;
  count = 0;
  /** Of the text encoded last: what each feature weighs. `[count]` */
  values = new Float32Array(0);
  /** Length of a feature vector. */
  readonly width: number;
  /** `[width]` */
  readonly idf: Float64Array;

  readonly #reader: NgramReader;
  readonly #table: GramTable;
  readonly #wordColumns: number;
  #marked = 0;

  constructor(vocabulary: Vocabulary) {
    this.width = columnsOf(vocabulary);
    this.#reader = new NgramReader(vocabulary.options);
    this.#table = new GramTable(this.width);
    for (let column = 0; column < this.width; column++) {
      this.#table.add(vocabulary.low[column]!, vocabulary.high[column]!);
    }
    this.#wordColumns = vocabulary.wordColumns;
    this.idf = inverseDocumentFrequency(vocabulary);
  }

  /** Encodes `text`. One without any known n-gram has no features: every class keeps its bias. */
  encode(text: string): void {
    this.tally(text);
    this.weigh();
  }

  /** The first half of `encode`: which n-grams occur, and how often. */
  tally(text: string): void {
    this.#reader.read(text);
    this.#reserve(Math.min(this.#reader.count, this.width));
    const { columns, frequencies } = this;
    const end = this.#table.tally(this.#reader, {
      numbers: columns,
      counts: frequencies,
      start: 0,
      base: this.#marked,
    });
    let words = 0;
    while (words < end && columns[words]! < this.#wordColumns) words++;
    for (let entry = 0; entry < end; entry++) frequencies[entry] = sublinear(frequencies[entry]!);
    this.#marked += end;
    [this.count, this.wordCount] = [end, words];
  }

  /** The second half: `values` of the text that was counted last. */
  weigh(): void {
    const { columns: indices, frequencies, idf, values } = this;
    const block = { indices, frequencies, idf, values };
    weighBlock(block, 0, this.wordCount);
    weighBlock(block, this.wordCount, this.count);
  }

  /** The features of many texts at once. */
  encodeAll(texts: readonly string[]): SparseMatrix {
    const starts = new Int32Array(texts.length + 1);
    const indices: Int32Array[] = [];
    const values: Float32Array[] = [];
    texts.forEach((text, row) => {
      this.encode(text);
      indices.push(this.columns.slice(0, this.count));
      values.push(this.values.slice(0, this.count));
      starts[row + 1] = starts[row]! + this.count;
    });
    const total = starts[texts.length]!;
    const matrix = { indices: new Int32Array(total), values: new Float32Array(total) };
    starts.subarray(0, -1).forEach((start, row) => {
      matrix.indices.set(indices[row]!, start);
      matrix.values.set(values[row]!, start);
    });
    return { rows: texts.length, columns: this.width, starts, ...matrix };
  }

  #reserve(count: number): void {
    if (this.#marked > MARKS_BEFORE_RESET) {
      this.#table.forgetMarks();
      this.#marked = 0;
    }
    if (this.columns.length >= count) return;
    this.columns = new Int32Array(2 * count);
    this.values = new Float32Array(2 * count);
    this.frequencies = new Float32Array(2 * count);
  }
}

const sublinear = (count: number): number => logarithms[count] ?? 1 + Math.log(count);
