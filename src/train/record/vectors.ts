/** @file Records as rows of numbers. */

import type { SparseMatrix } from "../../math/sparse.ts";
import { createEncoder } from "./encode-record.ts";
import type { FeatureSchema, RecordRow } from "./feature-schema.ts";

/** `data` is row-major `[rows, columns]`, or sparse where the records have texts, of whose n-grams each has few. */
export type Vectors<Data = Float32Array | SparseMatrix> = {
  readonly data: Data;
  readonly rows: number;
  readonly columns: number;
};

/** Values that do not fit their column count as missing: `inferFeatures` has warned of them. */
export function encodeRecords(records: readonly RecordRow[], schema: FeatureSchema): Vectors {
  return schema.features.some(({ type }) => type === "text")
    ? encodeSparse(records, schema)
    : encodeDense(records, schema);
}

const readable = (schema: FeatureSchema) => createEncoder(schema, { onWrongType: () => {} });

/** As `encodeRecords`, all missing values included: NaN. */
export function encodeDense(records: readonly RecordRow[], schema: FeatureSchema): Vectors<Float32Array> {
  const encoder = readable(schema);
  const data = new Float32Array(records.length * encoder.width);
  for (const [index, { id, fields }] of records.entries()) {
    encoder.encodeInto(data, index * encoder.width, fields, id);
  }
  return { data, rows: records.length, columns: encoder.width };
}

function encodeSparse(records: readonly RecordRow[], schema: FeatureSchema): Vectors<SparseMatrix> {
  const encoder = readable(schema);
  const { width: columns } = encoder;
  const vector = new Float32Array(columns);
  const starts = new Int32Array(records.length + 1);
  const [indices, values]: [Int32Array[], Float32Array[]] = [[], []];
  for (const [row, { id, fields }] of records.entries()) {
    encoder.encodeInto(vector, 0, fields, id);
    const stored = Int32Array.from(vector.keys()).filter((column) => !Number.isNaN(vector[column]));
    indices.push(stored);
    values.push(Float32Array.from(stored, (column) => vector[column]!));
    starts[row + 1] = starts[row]! + stored.length;
  }
  const shape = { rows: records.length, columns };
  return { ...shape, data: { ...shape, starts, ...joined(starts, { indices, values }) } };
}

type Parts = { readonly indices: readonly Int32Array[]; readonly values: readonly Float32Array[] };

function joined(starts: Int32Array, parts: Parts): Pick<SparseMatrix, "indices" | "values"> {
  const [indices, values] = [new Int32Array(starts.at(-1)!), new Float32Array(starts.at(-1)!)];
  for (const [row, part] of parts.indices.entries()) {
    indices.set(part, starts[row]);
    values.set(parts.values[row]!, starts[row]);
  }
  return { indices, values };
}

/** One number of the table; NaN where it is missing. */
export function valueAt({ data, columns }: Vectors, row: number, column: number): number {
  if (data instanceof Float32Array) return data[row * columns + column]!;
  const [start, end] = [data.starts[row]!, data.starts[row + 1]!];
  const at = data.indices.subarray(start, end).indexOf(column);
  return at < 0 ? Number.NaN : data.values[start + at]!;
}

/** Rows of the table, each as often as it is named. */
export function rowsOf({ data, columns, rows }: Vectors, among: readonly number[]): Vectors["data"] {
  if (among.length === rows && among.every((row, at) => row === at)) return data;
  return data instanceof Float32Array ? denseRows(data, columns, among) : sparseRows(data, among);
}

function denseRows(data: Float32Array, columns: number, among: readonly number[]): Float32Array {
  const part = new Float32Array(among.length * columns);
  for (const [at, row] of among.entries()) part.set(data.subarray(row * columns, (row + 1) * columns), at * columns);
  return part;
}

function sparseRows({ columns, ...from }: SparseMatrix, among: readonly number[]): SparseMatrix {
  const ends = among.map((row) => [from.starts[row]!, from.starts[row + 1]!] as const);
  const starts = new Int32Array(among.length + 1);
  for (const [at, [start, end]] of ends.entries()) starts[at + 1] = starts[at]! + end - start;
  const parts = {
    indices: ends.map(([start, end]) => from.indices.subarray(start, end)),
    values: ends.map(([start, end]) => from.values.subarray(start, end)),
  };
  return { rows: among.length, columns, starts, ...joined(starts, parts) };
}
