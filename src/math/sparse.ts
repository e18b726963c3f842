/** @file Sparse matrices, compressed by row, in flat typed arrays. */

import { checkFinite, checkLength } from "./check.ts";

export type SparseMatrix = {
  readonly rows: number;
  readonly columns: number;
  /** Where each row begins among the values, and where the last one ends. `[rows + 1]`, rising from 0. */
  readonly starts: Int32Array;
  /** `[values]`; a column occurs at most once a row, in any order. */
  readonly indices: Int32Array;
  readonly values: Float32Array;
};

/** @throws RangeError for shapes that do not match, columns outside the matrix, values that are not finite */
export function checkSparse({ rows, columns, starts, indices, values }: SparseMatrix): void {
  checkLength("starts", starts, rows + 1);
  checkLength("values", values, indices.length);
  if (starts[0] !== 0 || starts[rows]! > indices.length) throw new RangeError("starts must rise from 0 to the values");
  for (let row = 0; row < rows; row++) {
    if (starts[row]! > starts[row + 1]!) throw new RangeError(`row ${row} ends before it begins`);
  }
  for (let index = 0; index < indices.length; index++) {
    const column = indices[index]!;
    if (column < 0 || column >= columns) throw new RangeError(`column ${column} lies outside [0, ${columns})`);
  }
  checkFinite("values", values);
}
