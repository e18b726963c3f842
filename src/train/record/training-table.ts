/** @file Labelled records as a table of numbers: XGBoost's matrix, or a part of it. */

import { FlywheelError } from "../../errors.ts";
import { createMatrix, type FeatureType, type Matrix } from "../../xgboost/matrix.ts";
import type { TrainingRow } from "../training-rows.ts";
import { createEncoder } from "./encode-record.ts";
import { type Feature, type FeatureSchema, namesOf, type RecordRow } from "./feature-schema.ts";

/** Row-major `[rows, columns]`. */
export type Vectors = { readonly data: Float32Array; readonly rows: number; readonly columns: number };

/** @throws FlywheelError `student_wrong_input` for a row that is no record */
export function recordsOf(rows: readonly TrainingRow[]): readonly RecordRow[] {
  return rows.map(({ id, input }) => {
    if (input.kind === "record") return { id, fields: input.fields };
    throw new FlywheelError("student_wrong_input", `row ${id} is no record, it is a ${input.kind}`, {
      hint: "check the task's input kind",
    });
  });
}

/** Values that do not fit their column count as missing: `inferFeatures` has warned of them. */
export function encodeRecords(records: readonly RecordRow[], schema: FeatureSchema): Vectors {
  const encoder = createEncoder(schema, { onWrongType: () => {} });
  const data = new Float32Array(records.length * encoder.width);
  for (const [index, { id, fields }] of records.entries()) {
    encoder.encodeInto(data, index * encoder.width, fields, id);
  }
  return { data, rows: records.length, columns: encoder.width };
}

export type TableOptions = {
  readonly vectors: Vectors;
  readonly rows: readonly TrainingRow[];
  readonly features: readonly Feature[];
  /** Indices of the rows to use; default all. */
  readonly among?: readonly number[];
  readonly threads: number;
};

/** A soft target becomes a row for each class that has a share in it, weighted by the share. */
export function trainingMatrix(options: TableOptions): Matrix {
  const { vectors, rows, features, threads, among = rows.keys().toArray() } = options;
  const { columns } = vectors;
  const copies = among.flatMap((index) => sharesOf(rows[index]!).map((share) => ({ index, ...share })));
  const isWhole = copies.length === vectors.rows && copies.every(({ index }, at) => index === at);
  const data = isWhole ? vectors.data : new Float32Array(copies.length * columns);
  if (!isWhole) {
    for (const [at, { index }] of copies.entries()) data.set(rowOf(vectors, index), at * columns);
  }
  return createMatrix({
    data,
    rows: copies.length,
    columns,
    labels: Float32Array.from(copies, ({ label }) => label),
    weights: Float32Array.from(copies, ({ weight }) => weight),
    ...described(features),
    threads,
  });
}

/** Rows to be predicted. */
export function plainMatrix({ vectors, features, among, threads }: Required<Omit<TableOptions, "rows">>): Matrix {
  const { columns } = vectors;
  const data = new Float32Array(among.length * columns);
  for (const [at, index] of among.entries()) data.set(rowOf(vectors, index), at * columns);
  return createMatrix({ data, rows: among.length, columns, ...described(features), threads });
}

function sharesOf({ target, weight }: TrainingRow): readonly { readonly label: number; readonly weight: number }[] {
  return [...target].flatMap((share, label) => (share > 0 ? [{ label, weight: weight * share }] : []));
}

const rowOf = ({ data, columns }: Vectors, index: number): Float32Array =>
  data.subarray(index * columns, (index + 1) * columns);

const types = { number: "q", boolean: "i", category: "c", text: "q" } as const satisfies Record<
  Feature["type"],
  FeatureType
>;

export const described = (features: readonly Feature[]) => ({
  featureNames: features.flatMap(namesOf),
  featureTypes: features.flatMap((feature) => namesOf(feature).map(() => types[feature.type])),
});
