/** @file A table in XGBoost's memory (`DMatrix`). */

import { FlywheelError, messageOf } from "../errors.ts";
import { checkSparse, type SparseMatrix } from "../math/sparse.ts";
import { arrayInterface, loadXgboost, type Out, type Pointer, written, type XgboostLibrary } from "./native.ts";
import { own } from "./owned.ts";

/** `q`: a number, `i`: 0 or 1, `c`: a category's index from 0. */
export type FeatureType = "q" | "i" | "c";

export type MatrixOptions = {
  /** Row-major `[rows, columns]`, where NaN is missing; or sparse, where all that is not stored is. Copied. */
  readonly data: Float32Array | SparseMatrix;
  readonly rows: number;
  readonly columns: number;
  /** `[rows]`: the class's index, or what the objective wants. */
  readonly labels?: Float32Array | undefined;
  /** `[rows]`, not negative. */
  readonly weights?: Float32Array | undefined;
  readonly featureNames?: readonly string[] | undefined;
  readonly featureTypes?: readonly FeatureType[] | undefined;
  /** Threads to build it with. */
  readonly threads: number;
  readonly library?: XgboostLibrary | undefined;
};

export type Matrix = Disposable & {
  readonly handle: Pointer;
  readonly rows: number;
  readonly columns: number;
  readonly featureNames: readonly string[] | undefined;
  readonly featureTypes: readonly FeatureType[] | undefined;
};

/**
 * @throws FlywheelError `xgboost_shape_mismatch`; `xgboost_failed`, among others for an infinite value
 * @example using matrix = createMatrix({ data, rows: 100, columns: 28, labels, threads: 2 });
 */
export function createMatrix(options: MatrixOptions): Matrix {
  checkShapes(options);
  const { rows, columns, featureNames, featureTypes, library = loadXgboost() } = options;
  const owned = own(copyIn(options, library), "matrix", (handle) => library.call("XGDMatrixFree", handle));
  try {
    describe(owned.pointer, options, library);
  } catch (thrown) {
    owned[Symbol.dispose]();
    throw thrown;
  }
  return {
    get handle() {
      return owned.pointer;
    },
    rows,
    columns,
    featureNames,
    featureTypes,
    [Symbol.dispose]: owned[Symbol.dispose],
  };
}

function copyIn({ data, rows, columns, threads }: MatrixOptions, library: XgboostLibrary): Pointer {
  const out: Out<Pointer> = [undefined];
  if (data instanceof Float32Array) {
    library.call("XGDMatrixCreateFromMat_omp", data, rows, columns, Number.NaN, out, threads);
  } else {
    const { starts, indices, values } = data;
    const [startsAt, indicesAt, valuesAt] = [starts, indices, values].map(arrayInterface);
    const config = `{"missing": NaN, "nthread": ${threads}}`;
    library.call("XGDMatrixCreateFromCSR", startsAt!, indicesAt!, valuesAt!, columns, config, out);
  }
  return written(out);
}

function describe(handle: Pointer, options: MatrixOptions, library: XgboostLibrary): void {
  const { labels, weights, featureNames, featureTypes, rows, columns } = options;
  if (featureNames) library.call("XGDMatrixSetStrFeatureInfo", handle, "feature_name", featureNames, columns);
  if (featureTypes) library.call("XGDMatrixSetStrFeatureInfo", handle, "feature_type", featureTypes, columns);
  if (labels) library.call("XGDMatrixSetFloatInfo", handle, "label", labels, rows);
  if (weights) library.call("XGDMatrixSetFloatInfo", handle, "weight", weights, rows);
}

function checkShapes({ data, rows, columns, labels, weights, featureNames, featureTypes }: MatrixOptions): void {
  const lengths = { labels, weights, featureNames, featureTypes };
  const wanted = { labels: rows, weights: rows, featureNames: columns, featureTypes: columns };
  const isDense = data instanceof Float32Array;
  if (rows < 1 || columns < 1 || (isDense && data.length !== rows * columns)) {
    throw mismatch(`data has ${isDense ? data.length : 0} values, not ${rows} rows × ${columns} columns`);
  }
  if (!isDense) checkStored(data, { rows, columns });
  for (const name of ["labels", "weights", "featureNames", "featureTypes"] as const) {
    const given = lengths[name];
    if (given && given.length !== wanted[name])
      throw mismatch(`${name} has length ${given.length}, not ${wanted[name]}`);
  }
}

/** The library reads wherever it is told to: a place that is not there would end the process. */
function checkStored(data: SparseMatrix, { rows, columns }: Pick<MatrixOptions, "rows" | "columns">): void {
  try {
    checkSparse(data);
  } catch (thrown) {
    throw mismatch(messageOf(thrown));
  }
  if (data.rows !== rows || data.columns !== columns) {
    throw mismatch(`data has ${data.rows} rows × ${data.columns} columns, not ${rows} × ${columns}`);
  }
}

const mismatch = (message: string): FlywheelError => new FlywheelError("xgboost_shape_mismatch", message);
