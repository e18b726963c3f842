/** @file Labelled records as a table of numbers: XGBoost's matrix, or a part of it. */

import { createMatrix, type FeatureType, type Matrix } from "../../xgboost/matrix.ts";
import type { TrainingRow } from "../training-rows.ts";
import { type Feature, namesOf, type RecordRow } from "./feature-schema.ts";
import { fieldsOf, type TreeInputKind } from "./tree-input.ts";
import { rowsOf, type Vectors } from "./vectors.ts";

/** @throws FlywheelError `student_wrong_input` for a row that is not of `kind` */
export function recordsOf(rows: readonly TrainingRow[], kind: TreeInputKind): readonly RecordRow[] {
  return rows.map(({ id, input }) => ({ id, fields: fieldsOf(input, kind, `row ${id}`) }));
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
  const data = rowsOf(
    vectors,
    copies.map(({ index }) => index),
  );
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
  return createMatrix({ data: rowsOf(vectors, among), rows: among.length, columns, ...described(features), threads });
}

function sharesOf({ target, weight }: TrainingRow): readonly { readonly label: number; readonly weight: number }[] {
  return [...target].flatMap((share, label) => (share > 0 ? [{ label, weight: weight * share }] : []));
}

const types = { number: "q", boolean: "i", category: "c", text: "q" } as const satisfies Record<
  Feature["type"],
  FeatureType
>;

export const described = (features: readonly Feature[]) => ({
  featureNames: features.flatMap(namesOf),
  featureTypes: features.flatMap((feature) => namesOf(feature).map(() => types[feature.type])),
});
