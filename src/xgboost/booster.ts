/** @file A model in XGBoost's memory (`Booster`): grows by rounds, predicts, explains, is saved and loaded. */

import { checkLoadable } from "./loadable.ts";
import type { Matrix } from "./matrix.ts";
import { copyOf, loadXgboost, type Out, type Pointer, textsAt, written, type XgboostLibrary } from "./native.ts";
import { own } from "./owned.ts";
import { parameterTexts, type XgboostParameters } from "./parameters.ts";

/** XGBoost's `type` of a prediction. */
const predictionTypes = { value: 0, margin: 1, contributions: 2 } as const;

/**
 * `value`: what the objective gives (probabilities); `margin`: before its link; `contributions`: SHAP values of each
 * feature, the last column the bias, which sum to the margin.
 */
export type PredictionKind = keyof typeof predictionTypes;

/** Row-major; `dims` `[rows, groups]`, or `[rows, groups, columns + 1]` for contributions. Binary has one group. */
export type PredictedArray = { readonly values: Float32Array; readonly dims: readonly number[] };

/** By matrix, by metric: `{ valid: { mlogloss: 0.4 } }`, in the order in which XGBoost says them. */
export type Evaluation = Readonly<Record<string, Readonly<Record<string, number>>>>;

export type Booster = Disposable & {
  readonly rounds: number;
  set(parameters: XgboostParameters): void;
  /** One round of training. Holds the calling thread. */
  update(matrix: Matrix): void;
  /** Scores of the rounds so far. */
  evaluate(matrices: Readonly<Record<string, Matrix>>): Evaluation;
  predict(matrix: Matrix, kind: PredictionKind): PredictedArray;
  /** Mean gain of a feature's splits, by name (`f0` … where the matrix had none); features without a split are absent. */
  gain(): Readonly<Record<string, number>>;
  /** A copy of the first `rounds` rounds. */
  slice(rounds: number): Booster;
  save(format: "json" | "ubj"): Uint8Array;
};

export type BoosterOptions = {
  readonly parameters?: XgboostParameters | undefined;
  /** Whose data it will be trained and evaluated on: predictions of these are kept up to date, not made anew. */
  readonly matrices?: readonly Matrix[] | undefined;
  /** JSON or UBJ of an earlier classifier, saved by this release of XGBoost or one before it. */
  readonly model?: Uint8Array | undefined;
  readonly library?: XgboostLibrary | undefined;
};

/**
 * @throws FlywheelError `xgboost_failed`, `xgboost_unknown_parameter`, `xgboost_missing`; of a model as `checkLoadable`
 */
export function createBooster(options: BoosterOptions = {}): Booster {
  const { parameters = {}, matrices = [], model, library = loadXgboost() } = options;
  const texts = parameterTexts(parameters);
  if (model) checkLoadable(model, library);
  const out: Out<Pointer> = [undefined];
  library.call(
    "XGBoosterCreate",
    matrices.map(({ handle }) => handle),
    matrices.length,
    out,
  );
  const booster = boosterOver(written(out), library);
  try {
    if (model) library.call("XGBoosterLoadModelFromBuffer", written(out), model, model.length);
    for (const [name, value] of texts) library.call("XGBoosterSetParam", written(out), name, value);
    if (matrices[0]) nameFeatures(written(out), matrices[0], library);
  } catch (thrown) {
    booster[Symbol.dispose]();
    throw thrown;
  }
  return booster;
}

/** So that a saved model and its importances speak of features by name. */
function nameFeatures(handle: Pointer, { featureNames, featureTypes, columns }: Matrix, library: XgboostLibrary): void {
  if (featureNames) library.call("XGBoosterSetStrFeatureInfo", handle, "feature_name", featureNames, columns);
  if (featureTypes) library.call("XGBoosterSetStrFeatureInfo", handle, "feature_type", featureTypes, columns);
}

function boosterOver(created: Pointer, library: XgboostLibrary): Booster {
  const owned = own(created, "booster", (handle) => library.call("XGBoosterFree", handle));
  return {
    get rounds() {
      return roundsOf(owned.pointer, library);
    },
    set(parameters) {
      for (const [name, value] of parameterTexts(parameters))
        library.call("XGBoosterSetParam", owned.pointer, name, value);
    },
    update: (matrix) =>
      library.call("XGBoosterUpdateOneIter", owned.pointer, roundsOf(owned.pointer, library), matrix.handle),
    evaluate(matrices) {
      const names = Object.keys(matrices);
      const handles = Object.values(matrices).map((matrix) => matrix.handle);
      const out: Out<string> = [undefined];
      library.call(
        "XGBoosterEvalOneIter",
        owned.pointer,
        roundsOf(owned.pointer, library),
        handles,
        names,
        names.length,
        out,
      );
      return parseEvaluation(written(out), names);
    },
    predict: (matrix, kind) => predict({ handle: owned.pointer, library, matrix, kind }),
    gain: () => gainOf(owned.pointer, library),
    slice(rounds) {
      const out: Out<Pointer> = [undefined];
      library.call("XGBoosterSlice", owned.pointer, 0, rounds, 1, out);
      return boosterOver(written(out), library);
    },
    save(format) {
      const [length, out]: [Out<number>, Out<Pointer>] = [[undefined], [undefined]];
      library.call("XGBoosterSaveModelToBuffer", owned.pointer, JSON.stringify({ format }), length, out);
      return new Uint8Array(copyOf(written(out), Number(written(length))));
    },
    [Symbol.dispose]: owned[Symbol.dispose],
  };
}

function roundsOf(handle: Pointer, library: XgboostLibrary): number {
  const out: Out<number> = [undefined];
  library.call("XGBoosterBoostedRounds", handle, out);
  return written(out);
}

/** `[3]\ttrain-mlogloss:0.51\tvalid-mlogloss:0.62`. Names of matrices may hold a hyphen, names of metrics too. */
function parseEvaluation(line: string, names: readonly string[]): Evaluation {
  const parts = line.split("\t").slice(1);
  const ofMatrix = (name: string): Record<string, number> =>
    Object.fromEntries(
      parts
        .filter((part) => part.startsWith(`${name}-`))
        .map((part) => {
          const colon = part.lastIndexOf(":");
          return [part.slice(name.length + 1, colon), Number(part.slice(colon + 1))];
        }),
    );
  return Object.fromEntries(names.map((name) => [name, ofMatrix(name)]));
}

type PredictCall = {
  readonly handle: Pointer;
  readonly library: XgboostLibrary;
  readonly matrix: Matrix;
  readonly kind: PredictionKind;
};

function predict({ handle, library, matrix, kind }: PredictCall): PredictedArray {
  const whole = { training: false, iteration_begin: 0, iteration_end: 0, strict_shape: true };
  const config = JSON.stringify({ type: predictionTypes[kind], ...whole });
  const [shape, rank, out]: [Out<Pointer>, Out<number>, Out<Pointer>] = [[undefined], [undefined], [undefined]];
  library.call("XGBoosterPredictFromDMatrix", handle, matrix.handle, config, shape, rank, out);
  const dims = dimsAt(written(shape), Number(written(rank)));
  return { dims, values: floatsAt(written(out), dims) };
}

function gainOf(handle: Pointer, library: XgboostLibrary): Record<string, number> {
  const [count, rank]: [Out<number>, Out<number>] = [[undefined], [undefined]];
  const [names, shape, out]: [Out<Pointer>, Out<Pointer>, Out<Pointer>] = [[undefined], [undefined], [undefined]];
  const config = JSON.stringify({ importance_type: "gain" });
  library.call("XGBoosterFeatureScore", handle, config, count, names, rank, shape, out);
  const features = Number(written(count));
  if (features === 0) return {};
  const scores = floatsAt(written(out), [features]);
  return Object.fromEntries(textsAt(written(names), features).map((name, index) => [name, scores[index]!]));
}

const dimsAt = (pointer: Pointer, rank: number): number[] =>
  Array.from(new BigUint64Array(copyOf(pointer, 8 * rank)), Number);

const floatsAt = (pointer: Pointer, dims: readonly number[]): Float32Array =>
  new Float32Array(copyOf(pointer, 4 * dims.reduce((product, size) => product * size, 1)));
