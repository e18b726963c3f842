/**
 * @file What trees say of rows that they have not seen: five models of as many rounds as the whole has, each without a fold.
 * The number of rounds is the only thing that these owe to the calibrate split.
 */

import type { Booster } from "../../xgboost/booster.ts";
import { trainBooster } from "../../xgboost/train.ts";
import { FOLDS, stratifiedFolds } from "../folds.ts";
import { plainMatrix, trainingMatrix } from "./training-table.ts";
import { type FitTreesOptions, interrupted, parametersOf } from "./tree-options.ts";

export type CrossValidated = {
  /** `[rows, classes]`, nats. */
  readonly outOfFold: Float32Array;
  /** By fold, XGBoost's own JSON; none where they are not kept. */
  readonly members: readonly Uint8Array[];
};

/** @throws FlywheelError `training_interrupted` */
export async function crossValidate(options: FitTreesOptions, rounds: number): Promise<CrossValidated> {
  const { rows, classes } = options.train;
  const folds = stratifiedFolds(rows, options.seed);
  const logits = new Float32Array(rows.length * classes);
  const members: Uint8Array[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const held = rows
      .keys()
      .filter((row) => folds[row] === fold)
      .toArray();
    const rest = rows
      .keys()
      .filter((row) => folds[row] !== fold)
      .toArray();
    if (held.length === 0 || rest.length === 0) continue;
    using booster = await withoutFold(options, { rest, rounds });
    writeLogits(logits, held, predict(options, booster, held));
    if (options.keepsFolds) members.push(booster.save("ubj"));
    options.progress?.({ stage: "cross-validate", done: fold + 1, total: FOLDS });
  }
  return { outOfFold: logits, members };
}

type Fold = { readonly rest: readonly number[]; readonly rounds: number };

async function withoutFold(options: FitTreesOptions, { rest, rounds }: Fold): Promise<Booster> {
  const { train, features, threads, signal } = options;
  using matrix = trainingMatrix({ ...train, features, threads, among: rest });
  const { booster, ended } = await trainBooster({ matrix, parameters: parametersOf(options), rounds, signal });
  if (ended !== "interrupted") return booster;
  booster[Symbol.dispose]();
  throw interrupted("while cross-validating", signal);
}

function predict(options: FitTreesOptions, booster: Booster, among: readonly number[]): Float32Array {
  const { train, features, threads } = options;
  using matrix = plainMatrix({ vectors: train.vectors, features, among, threads });
  return twoLogits(booster.predict(matrix, "margin").values, train.classes);
}

/** Of two classes XGBoost gives one margin: the logits are 0 and that. */
const twoLogits = (margins: Float32Array, classes: number): Float32Array =>
  classes > 2
    ? margins
    : Float32Array.from({ length: 2 * margins.length }, (_, at) => (at % 2 === 0 ? 0 : margins[at >> 1]!));

function writeLogits(logits: Float32Array, rows: readonly number[], values: Float32Array): void {
  const classes = values.length / rows.length;
  for (const [at, row] of rows.entries()) logits.set(values.subarray(at * classes, (at + 1) * classes), row * classes);
}
