/**
 * @file How far a vector's direction lies from the nearest of many, class by class. A direction is kept in a byte a number:
 * of a thousand numbers the cosine is then off by less than 0.001, and a few thousand of them are a few megabytes.
 */

import { checkClassStarts } from "./nearest.ts";

export type Directions = {
  readonly width: number;
  /** Rows of class c are [classStarts[c], classStarts[c + 1]). `[classes + 1]` */
  readonly classStarts: Int32Array;
  /** `[rows, width]`: each row a vector, scaled so that its largest number is ±127. */
  readonly numbers: Int8Array;
};

const LARGEST = 127;

/** Writes a vector's direction to `numbers[offset …]`; that of the null vector is all zeros. */
export function writeDirection(vector: Float32Array, numbers: Int8Array, offset: number): void {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) return;
  for (let at = 0; at < vector.length; at++) numbers[offset + at] = Math.round((LARGEST * vector[at]!) / largest);
}

/** What lies opposite. */
const FURTHEST = 2;

export class DirectionSearch {
  readonly #directions: Directions;
  /** `[rows]` */
  readonly #lengths: Float64Array;

  /** @throws RangeError where the classes do not hold the rows */
  constructor(directions: Directions) {
    const { width, classStarts, numbers } = directions;
    checkClassStarts(classStarts, numbers.length / width);
    this.#directions = directions;
    this.#lengths = Float64Array.from({ length: numbers.length / width }, (_, row) =>
      Math.sqrt(squares(numbers.subarray(row * width, (row + 1) * width))),
    );
  }

  /**
   * 1 − the largest cosine to a row of the class, in [0, 2]; 2 where the class has none. The null vector is at right angles
   * to everything.
   * @param vector `[width]`
   */
  distance(vector: Float32Array, classIndex: number): number {
    const { width, classStarts, numbers } = this.#directions;
    const length = Math.sqrt(squares(vector));
    let largest = -1;
    for (let row = classStarts[classIndex]!; row < classStarts[classIndex + 1]!; row++) {
      const product = dot(vector, numbers, row * width);
      const cosine = product === 0 ? 0 : product / (length * this.#lengths[row]!); // of no length: no 0 / 0
      if (!(cosine <= largest)) largest = cosine; // NaN comes out as NaN, which nobody takes for near
    }
    return Math.min(FURTHEST, Math.max(0, 1 - largest)); // rounding
  }
}

const squares = (values: Float32Array | Int8Array): number => {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
};

/** Four sums at once: one alone would wait for each addition before the next. */
function dot(vector: Float32Array, numbers: Int8Array, offset: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const { length } = vector;
  let at = 0;
  for (; at + 3 < length; at += 4) {
    a += vector[at]! * numbers[offset + at]!;
    b += vector[at + 1]! * numbers[offset + at + 1]!;
    c += vector[at + 2]! * numbers[offset + at + 2]!;
    d += vector[at + 3]! * numbers[offset + at + 3]!;
  }
  for (; at < length; at++) a += vector[at]! * numbers[offset + at]!;
  return a + b + (c + d);
}
