/**
 * @file How unlike a record is to those that taught the trees its class: the mean distance to the five nearest of them over the
 * columns that the trees look at, each weighted by its share of the gain
 * (docs/decisions/2026-11-28-out-of-scope-images-records.md).
 */

import { firstOfEachClass } from "../../math/nearest.ts";
import { MixedSearch } from "../../math/nearest-mixed.ts";
import { type NumericTensor, readSafetensors, writeSafetensors } from "../../onnx/safetensors.ts";
import { floats, tensor } from "../../onnx/tensor.ts";
import { tensorIn } from "../neighbours-file.ts";
import { type FeatureSchema, namesOf } from "./feature-schema.ts";
import type { Importances } from "./fit-trees.ts";
import type { TreeData } from "./tree-options.ts";
import { valueAt } from "./vectors.ts";

export type RecordNeighbours = {
  /** Places in a record's vector of the columns that are compared, the weightiest first. `[columns]` */
  readonly columns: Int32Array;
  /** Their shares of the gain, summing to 1. `[columns]` */
  readonly weights: Float32Array;
  /** Rows of class c are [classStarts[c], classStarts[c + 1]). `[classes + 1]` */
  readonly classStarts: Int32Array;
  /** Of the training rows kept, those columns; NaN is missing. `[rows, columns]` */
  readonly values: Float32Array;
};

/** Words of a text are columns of their own: the lighter ones would cost time and change nothing. */
const MOST_COLUMNS = 64;
/** Values kept of all classes together: 1 MB. */
const MOST_VALUES = 2 ** 18;
/** Of one class: all of them are looked at for one record. */
const MOST_VALUES_OF_CLASS = 2 ** 15;

/** Undefined where the trees look at nothing: to them all records are alike. */
export function collectNeighbours(
  { rows, vectors, classes }: TreeData,
  { features }: Pick<FeatureSchema, "features">,
  gain: Importances,
): RecordNeighbours | undefined {
  const gains = features.flatMap(namesOf).map((name) => gain[name] ?? 0);
  const columns = heaviest(gains);
  if (columns.length === 0) return undefined;
  const total = columns.reduce((sum, column) => sum + gains[column]!, 0);
  const most = Math.floor(Math.min(MOST_VALUES_OF_CLASS, MOST_VALUES / classes) / columns.length);
  const classIndices = Int32Array.from(rows, ({ classIndex }) => classIndex);
  const kept = firstOfEachClass(classIndices, classes, Math.max(1, most));
  const values = kept.rows.flatMap((row) => columns.map((column) => valueAt(vectors, row, column)));
  return {
    columns: Int32Array.from(columns),
    weights: Float32Array.from(columns, (column) => gains[column]! / total),
    classStarts: kept.classStarts,
    values: Float32Array.from(values),
  };
}

const heaviest = (gains: readonly number[]): readonly number[] =>
  [...gains.keys()]
    .filter((column) => gains[column]! > 0)
    .sort((a, b) => gains[b]! - gains[a]! || a - b)
    .slice(0, MOST_COLUMNS);

export function writeNeighbours({ columns, weights, classStarts, values }: RecordNeighbours): Uint8Array {
  const rows = values.length / columns.length;
  const tensors = new Map<string, NumericTensor>([
    ["class_starts", tensor("int32", [classStarts.length], classStarts)],
    ["columns", tensor("int32", [columns.length], columns)],
    ["weights", floats(weights)],
    ["values", floats(values, [rows, columns.length])],
  ]);
  return writeSafetensors({ tensors, metadata: {} });
}

/** @throws RangeError, FlywheelError `safetensors_corrupt` where these are no neighbours of `classes` classes */
export function readNeighbours(bytes: Uint8Array, classes: number): RecordNeighbours {
  const file = readSafetensors(bytes);
  const columns = tensorIn(file, { name: "columns", dtype: "int32", dims: [undefined] }).data;
  return {
    columns,
    weights: tensorIn(file, { name: "weights", dtype: "float32", dims: [columns.length] }).data,
    classStarts: tensorIn(file, { name: "class_starts", dtype: "int32", dims: [classes + 1] }).data,
    values: tensorIn(file, { name: "values", dtype: "float32", dims: [undefined, columns.length] }).data,
  };
}

const ordered: Readonly<Record<FeatureSchema["features"][number]["type"], boolean>> = {
  number: true,
  text: true,
  date: true,
  elapsed: true,
  boolean: false,
  category: false,
};

export class RecordSearch {
  readonly #columns: Int32Array;
  readonly #search: MixedSearch;
  /** Of the record asked about, the columns that are compared. */
  readonly #own: Float32Array;

  /** @throws RangeError where these are not neighbours under this schema */
  constructor({ columns, ...rows }: RecordNeighbours, { features }: Pick<FeatureSchema, "features">) {
    const isOrdered = features.flatMap((feature) => namesOf(feature).map(() => ordered[feature.type]));
    const foreign = columns.find((column) => isOrdered[column] === undefined);
    if (foreign !== undefined) throw new RangeError(`neighbours have column ${foreign} of ${isOrdered.length}`);
    this.#columns = columns;
    this.#search = new MixedSearch({ ...rows, isOrdered: [...columns].map((column) => isOrdered[column]!) });
    this.#own = new Float32Array(columns.length);
  }

  /** In [0, 11]: 0 is one of the training records of the class, up to 1 has all its numbers within theirs. */
  novelty(vector: Float32Array, classIndex: number): number {
    for (let at = 0; at < this.#own.length; at++) this.#own[at] = vector[this.#columns[at]!]!;
    return this.#search.distance(this.#own, classIndex);
  }
}
