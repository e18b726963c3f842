/** @file Labelled records as a table of numbers: XGBoost's matrix, or a part of it. */

import { createMatrix, type FeatureType, type Matrix } from "../../xgboost/matrix.ts";
import type { XgboostLibrary } from "../../xgboost/native.ts";
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
  readonly library?: XgboostLibrary | undefined;
};

/** A soft target becomes a row for each class that has a share in it, weighted by the share. */
export function trainingMatrix(options: TableOptions): Matrix {
  const { vectors, features, threads, library } = options;
  const { indices, labels, weights } = sharesOf(options);
  return createMatrix({
    data: rowsOf(vectors, indices),
    rows: indices.length,
    columns: vectors.columns,
    labels: Float32Array.from(labels),
    weights: Float32Array.from(weights),
    ...described(features),
    threads,
    library,
  });
}

function sharesOf({ rows, among = rows.keys().toArray() }: TableOptions) {
  const [indices, labels, weights]: [number[], number[], number[]] = [[], [], []];
  for (const index of among) {
    const { target, weight } = rows[index]!;
    for (let label = 0; label < target.length; label++) {
      const share = target[label]!;
      if (share <= 0) continue;
      indices.push(index);
      labels.push(label);
      weights.push(weight * share);
    }
  }
  return { indices, labels, weights };
}

type PlainOptions = Required<Omit<TableOptions, "rows" | "library">>;

/** Rows to be predicted. */
export function plainMatrix({ vectors, features, among, threads }: PlainOptions): Matrix {
  const { columns } = vectors;
  return createMatrix({ data: rowsOf(vectors, among), rows: among.length, columns, ...described(features), threads });
}

const types = {
  number: "q",
  boolean: "i",
  category: "c",
  text: "q",
  date: "q",
  elapsed: "q",
} as const satisfies Record<Feature["type"], FeatureType>;

export const described = (features: readonly Feature[]) => ({
  featureNames: features.flatMap(namesOf),
  featureTypes: features.flatMap((feature) => namesOf(feature).map(() => types[feature.type])),
});
