/** @file Helpers that only tests of the rooms that train trees import. */

import type { createRng } from "../math/random.ts";
import type { Model } from "../onnx/model.ts";
import { openSession } from "../onnx/session.ts";
import { floats } from "../onnx/tensor.ts";
import { forestOf } from "./forest.ts";
import type { FeatureType, MatrixOptions } from "./matrix.ts";
import { hasXgboost, loadXgboost, type XgboostLibrary } from "./native.ts";
import { featuresName, logitsName } from "./trees-to-onnx.ts";

/** Absent where the machine has no XGBoost, and `make` could not get it: tests that train then skip. */
export const library: XgboostLibrary | undefined = hasXgboost() ? loadXgboost() : undefined;

/** Put in the title of what skips. */
export const needsLibrary = library
  ? ""
  : " (skipped: XGBoost's shared library is absent, see scripts/setup-xgboost.ts)";

type Rows = Pick<MatrixOptions, "rows" | "columns"> & { readonly data: Float32Array };

export type Table = Rows & Required<Pick<MatrixOptions, "labels" | "weights" | "featureTypes">>;

export type TableShape = {
  readonly rows: number;
  readonly classes: number;
  readonly featureTypes: readonly FeatureType[];
};

/** Categories of a column of type `c`. */
const CATEGORIES = 40;

/** Labels that follow from the columns, with noise; a tenth of the values missing. */
export function randomTable({ rows, classes, featureTypes }: TableShape, rng: ReturnType<typeof createRng>): Table {
  const columns = featureTypes.length;
  const draw = { q: () => rng.normal(), i: () => rng.integer(2), c: () => rng.integer(CATEGORIES) };
  const data = Float32Array.from({ length: rows * columns }, (_, index) => draw[featureTypes[index % columns]!]());
  const labels = Float32Array.from({ length: rows }, (_, row) => {
    const sum = featureTypes.reduce((total, _type, column) => total + data[row * columns + column]!, 0);
    return Math.floor(((((sum + rng.normal()) / 3) % classes) + classes) % classes);
  });
  for (let index = 0; index < data.length; index++) if (rng.next() < 0.1) data[index] = Number.NaN;
  return { data, rows, columns, labels, weights: Float32Array.from(labels, () => 0.2 + rng.next()), featureTypes };
}

/** Logits `[rows, classes]` by our walker. */
export function walk(model: Model, { data, rows, columns }: Rows): Float32Array {
  const forest = forestOf(model);
  const logits = new Float32Array(rows * forest.classes);
  for (let row = 0; row < rows; row++) forest.predictInto(logits, row * forest.classes, data, row * columns);
  return logits;
}

/** Logits `[rows, classes]` by ONNX Runtime. */
export async function runOnnx(model: Model, { data, rows, columns }: Rows): Promise<Float32Array> {
  await using session = await openSession(model, { threads: 1 });
  const results = await session.run({ [featuresName]: floats(data, [rows, columns]) });
  const logits = results[logitsName];
  if (logits?.dtype !== "float32") throw new Error("logits must be float32");
  return logits.data;
}
