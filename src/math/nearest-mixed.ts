/**
 * @file How far a row of numbers and categories lies from the nearest of many, class by class. Two rows are as far apart as the
 * weighted mean over their columns: numbers differ by their ranks among those seen, anything else is equal or not, and what is
 * missing is a value of its own.
 *
 * Source: Gower, Biometrics 27 (1971), with ranks for ranges, which one outlier would stretch.
 *
 * A question first writes, for each column, the distance from its own value to each that rows have. What is left to do for a row
 * is to add up entries of that table, which takes a nanosecond a column.
 */

import { checkLength } from "./check.ts";
import { MOST_OUTSIDE, placeOf, type Scale, scaleOf } from "./mixed-scale.ts";
import { checkClassStarts, keepNearest } from "./nearest.ts";

export type MixedRows = {
  /** `[rows, columns]`; NaN is missing. */
  readonly values: Float32Array;
  /** Rows of class c are [classStarts[c], classStarts[c + 1]). `[classes + 1]` */
  readonly classStarts: Int32Array;
  /** Share of each column, ≥ 0, summing to 1; looking is quickest with the largest first. `[columns]` */
  readonly weights: Float32Array;
  /** Whether a column holds numbers, not names. `[columns]` */
  readonly isOrdered: readonly boolean[];
};

const NEAREST = 5;
/** Of one column; their weights sum to 1. */
const FURTHEST = 1 + MOST_OUTSIDE;

/** Place 0 of a column's part of the table is for what is missing. */
type Column = { readonly weight: number; readonly start: number } & (
  | { readonly scale: Scale }
  | { readonly codes: ReadonlyMap<number, number> }
);

export class MixedSearch {
  readonly #columns: readonly Column[];
  readonly #classStarts: Int32Array;
  /** Where in the table each value's distance stands. `[rows, columns]` */
  readonly #entries: Int32Array;
  /** Weighted distances to the question's values. Those of names are their weights between questions. */
  readonly #table: Float64Array;

  /** @throws RangeError for shapes that do not match */
  constructor({ values, classStarts, weights, isOrdered }: MixedRows) {
    checkLength("weights", weights, isOrdered.length);
    checkClassStarts(classStarts, values.length / weights.length);
    this.#classStarts = classStarts;
    this.#columns = columnsOf({ values, weights, isOrdered });
    const last = this.#columns.at(-1);
    this.#table = new Float64Array(last ? last.start + sizeOf(last) : 0);
    for (const column of this.#columns) this.#table.fill(column.weight, column.start, column.start + sizeOf(column));
    this.#entries = Int32Array.from(values, (value, at) => entryOf(this.#columns[at % weights.length]!, value));
  }

  /**
   * The mean distance to the five nearest rows of the class, in [0, 11]: up to 1 where every number is within those seen; 11
   * where the class has no rows.
   * @param vector `[columns]`; NaN is missing
   */
  distance(vector: Float32Array, classIndex: number): number {
    this.#write(vector);
    const nearest = this.#nearestOf(classIndex);
    this.#clear(vector);
    if (nearest.length === 0) return FURTHEST;
    return nearest.reduce((sum, distance) => sum + distance, 0) / nearest.length;
  }

  #nearestOf(classIndex: number): readonly number[] {
    const entries = this.#entries;
    const table = this.#table;
    const { length } = this.#columns;
    const nearest: number[] = [];
    for (let row = this.#classStarts[classIndex]!; row < this.#classStarts[classIndex + 1]!; row++) {
      // A row that is too far already need not be added up to its end.
      const most = nearest.length === NEAREST ? nearest[NEAREST - 1]! : Number.POSITIVE_INFINITY;
      let distance = 0;
      for (let at = row * length, end = at + length; at < end && distance < most; at++)
        distance += table[entries[at]!]!;
      keepNearest(nearest, distance, NEAREST);
    }
    return nearest;
  }

  #write(vector: Float32Array): void {
    for (const [at, column] of this.#columns.entries()) {
      const value = vector[at]!;
      if ("codes" in column) this.#table[nameEntry(column, value)] = 0;
      else this.#writeScale(column, value);
    }
  }

  #writeScale({ scale, weight, start }: Extract<Column, { readonly scale: Scale }>, value: number): void {
    const table = this.#table;
    const isMissing = Number.isNaN(value);
    table[start] = isMissing ? 0 : weight;
    const place = isMissing ? 0 : placeOf(scale, value);
    for (let knot = 0; knot < scale.places.length; knot++) {
      table[start + 1 + knot] = isMissing ? weight : weight * Math.abs(place - scale.places[knot]!);
    }
  }

  #clear(vector: Float32Array): void {
    for (const [at, column] of this.#columns.entries()) {
      if ("codes" in column) this.#table[nameEntry(column, vector[at]!)] = column.weight;
    }
  }
}

function columnsOf({ values, weights, isOrdered }: Omit<MixedRows, "classStarts">): readonly Column[] {
  const columns: Column[] = [];
  let start = 0;
  for (const [index, weight] of weights.entries()) {
    const own = Float32Array.from(
      { length: values.length / weights.length },
      (_, row) => values[row * weights.length + index]!,
    ).filter((value) => !Number.isNaN(value));
    const column = isOrdered[index]
      ? { weight, start, scale: scaleOf(own) }
      : { weight, start, codes: new Map([...new Set(own)].map((value, code) => [value, code])) };
    columns.push(column);
    start += sizeOf(column);
  }
  return columns;
}

/** One for what is missing; of names one more, for those that no row has. */
const sizeOf = (column: Column): number => ("codes" in column ? column.codes.size + 2 : column.scale.knots.length + 1);

function nameEntry({ codes, start }: Extract<Column, { readonly codes: unknown }>, value: number): number {
  return Number.isNaN(value) ? start : start + 1 + (codes.get(value) ?? codes.size);
}

function entryOf(column: Column, value: number): number {
  if ("codes" in column) return nameEntry(column, value);
  return Number.isNaN(value) ? column.start : column.start + 1 + nearestKnot(column.scale, value);
}

/** By rank. */
function nearestKnot(scale: Scale, value: number): number {
  const place = placeOf(scale, value);
  let nearest = 0;
  for (const [knot, own] of scale.places.entries()) {
    if (Math.abs(own - place) < Math.abs(scale.places[nearest]! - place)) nearest = knot;
  }
  return nearest;
}
