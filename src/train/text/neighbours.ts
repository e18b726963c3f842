/**
 * @file How unlike a text is to those that taught the student its class: 1 − mean cosine to the five nearest of them, over
 * TF-IDF. To those of its own class, not to all: a text about something else often shares its words with training texts, but
 * seldom with those of the class that it is taken for (docs/decisions/2026-11-24-out-of-scope.md).
 */

import { keepNearest } from "../../math/nearest.ts";
import type { SparseMatrix } from "../../math/sparse.ts";
import type { TextEncoder } from "../../text/text-encoder.ts";

/** Training texts as vectors of length 1, class after class. */
export type Neighbours = Omit<SparseMatrix, "rows"> & {
  /** Rows of class c are [classStarts[c], classStarts[c + 1]). `[classes + 1]` */
  readonly classStarts: Int32Array;
};

/** What was encoded last. */
export type Encoded = Pick<TextEncoder, "columns" | "values" | "count">;

/** SCIENCE §6; Sun et al. (arXiv 2204.06507) find that few neighbours do. */
const NEAREST = 5;

/** Features kept of all classes together: 4 MB. */
const MOST_ENTRIES = 2 ** 19;
/** Of one class. */
const MOST_ENTRIES_OF_CLASS = 2 ** 17;

export type LabelledTexts = {
  /** In the order of their hashes: the first of a class are a uniform sample of it. */
  readonly texts: readonly string[];
  /** `[texts]`, in [0, `classes`). */
  readonly classIndices: Int32Array;
  readonly classes: number;
};

/** The first texts of each class, until their features fill its share of the room. */
export function collectNeighbours(
  { texts, classIndices, classes }: LabelledTexts,
  encoder: TextEncoder,
  mostEntries = Math.min(MOST_ENTRIES_OF_CLASS, Math.floor(MOST_ENTRIES / classes)),
): Neighbours {
  const rows: Encoded[] = [];
  const classStarts = new Int32Array(classes + 1);
  for (let c = 0; c < classes; c++) {
    let entries = 0;
    for (let row = 0; row < texts.length && entries < mostEntries; row++) {
      if (classIndices[row] !== c) continue;
      encoder.encode(texts[row]!);
      entries += encoder.count;
      // One that would overfill the room is left out, but for the first: a class of long texts has one neighbour at least.
      if (entries > mostEntries && rows.length > classStarts[c]!) break;
      rows.push(unitRow(encoder));
    }
    classStarts[c + 1] = rows.length;
  }
  return { classStarts, columns: encoder.width, ...concatenate(rows) };
}

/** A copy of length 1; without features it stays empty. */
function unitRow({ columns, values, count }: Encoded): Encoded {
  const own = values.slice(0, count);
  const length = lengthOf(own);
  return { columns: columns.slice(0, count), values: own.map((value) => value / length), count };
}

const lengthOf = (values: Float32Array): number =>
  Math.sqrt(values.reduce((squares, value) => squares + value * value, 0));

function concatenate(rows: readonly Encoded[]): Pick<Neighbours, "starts" | "indices" | "values"> {
  const starts = new Int32Array(rows.length + 1);
  for (const [row, { count }] of rows.entries()) starts[row + 1] = starts[row]! + count;
  const [indices, values] = [new Int32Array(starts[rows.length]!), new Float32Array(starts[rows.length]!)];
  for (const [row, own] of rows.entries()) {
    indices.set(own.columns, starts[row]);
    values.set(own.values, starts[row]);
  }
  return { starts, indices, values };
}

/**
 * Inner products by way of what the text holds, not of what the rows hold: of a class's features a text shares one in ten.
 * A column's entries lie together, in the order of the rows, so that those of a class follow each other.
 */
export class NeighbourSearch {
  readonly #classStarts: Int32Array;
  /** Entries of column c are [columnStarts[c], columnStarts[c + 1]). `[columns + 1]` */
  readonly #columnStarts: Int32Array;
  readonly #rows: Int32Array;
  readonly #values: Float32Array;
  /** `[rows]`; zero between questions. */
  readonly #products: Float64Array;

  constructor({ classStarts, columns, starts, indices, values }: Neighbours) {
    this.#classStarts = classStarts;
    this.#columnStarts = startsOf(indices, columns);
    this.#rows = new Int32Array(indices.length);
    this.#values = new Float32Array(indices.length);
    this.#products = new Float64Array(starts.length - 1);
    const next = this.#columnStarts.slice();
    for (let row = 0; row + 1 < starts.length; row++) {
      for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
        const place = next[indices[entry]!]!++;
        this.#rows[place] = row;
        this.#values[place] = values[entry]!;
      }
    }
  }

  /** In [0, 1]: 0 is one of the training texts of the class `classIndex`, 1 shares no n-gram with its nearest. */
  novelty(encoded: Encoded, classIndex: number): number {
    const [first, end] = [this.#classStarts[classIndex]!, this.#classStarts[classIndex + 1]!];
    this.#multiply(encoded, first, end);
    const nearest: number[] = [];
    for (let row = first; row < end; row++) keepNearest(nearest, -this.#products[row]!, NEAREST);
    this.#products.fill(0, first, end);
    const mean = nearest.reduce((sum, distance) => sum + distance, 0) / nearest.length;
    const length = lengthOf(encoded.values.subarray(0, encoded.count));
    if (nearest.length === 0 || length === 0) return 1;
    return Math.min(1, Math.max(0, 1 + mean / length)); // rounding
  }

  /** Adds up the products of rows [first, end). */
  #multiply({ columns, values, count }: Encoded, first: number, end: number): void {
    const [columnStarts, rows, own, products] = [this.#columnStarts, this.#rows, this.#values, this.#products];
    for (let entry = 0; entry < count; entry++) {
      const column = columns[entry]!;
      const value = values[entry]!;
      const last = columnStarts[column + 1]!;
      for (let at = firstFrom(rows, first, columnStarts[column]!, last); at < last && rows[at]! < end; at++) {
        products[rows[at]!]! += value * own[at]!;
      }
    }
  }
}

/** `[columns + 1]` */
function startsOf(indices: Int32Array, columns: number): Int32Array {
  const starts = new Int32Array(columns + 1);
  for (const column of indices) starts[column + 1]! += 1;
  for (let column = 0; column < columns; column++) starts[column + 1]! += starts[column]!;
  return starts;
}

/** The first place in [low, high) of `rows`, which rise there, that holds `row` or a later one; `high` where none does. */
function firstFrom(rows: Int32Array, row: number, low: number, high: number): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle]! < row) low = middle + 1;
    else high = middle;
  }
  return low;
}
