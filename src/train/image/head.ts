/**
 * @file The head alone: multinomial logistic regression on features that a frozen backbone has computed once. Convex, so
 * it needs no schedule and no seed; with few rows it is as good as anything (SCIENCE §6).
 */

import type { Seed } from "../../math/random.ts";
import { FOLDS, stratifiedFolds } from "../folds.ts";
import { meanLogLoss } from "../mean-log-loss.ts";
import { type HeadFitter, openHeadFitter } from "../text/embedding/fit-head.ts";
import type { TrainingRow } from "../training-rows.ts";

export type HeadData = {
  /** `[rows, width]`, row-major. */
  readonly features: Float32Array;
  readonly width: number;
  readonly classes: number;
  readonly rows: readonly Pick<TrainingRow, "target" | "classIndex" | "weight">[];
};

/** Logits are `weights · features + bias`. */
export type Head = {
  /** `[classes, width]`. */
  readonly weights: Float32Array;
  /** `[classes]`. */
  readonly bias: Float32Array;
};

export type HeadOptions = { readonly seed: Seed; readonly threads: number };

/** Penalties tried, strongest first, on standardised features, as factors of ½‖w‖² against the mean loss. */
const penalties = [0.3, 0.1, 0.03, 0.01] as const;
const MIDDLING_PENALTY = 0.1;
/**
 * A head that is to be trained on starts out modest: one that is sure of every training row leaves the backbone nothing to
 * learn from. Shop photos, look-alikes held out: 86 % right after fine-tuning against 78 % from the head that predicts best.
 */
const STARTING_PENALTY = 1;
/** A probe's accuracy does not move beyond it; a tenth of the time of the default. */
const TOLERANCE = 1e-4;
/** Where only the order of rows matters: fewer steps of the search. */
const LOOSE_TOLERANCE = 1e-3;

export type ChosenHead = {
  readonly head: Head;
  readonly penalty: number;
  /** `[rows, classes]`: what heads fitted without the row's fold say of it. */
  readonly outOfFold: Float32Array;
  /** By fold: each fitted without it. */
  readonly members: readonly Head[];
};

/**
 * Fits a head, with the penalty whose out-of-fold log loss is lowest (five folds, stratified by class).
 * @param data.rows at least two classes
 */
export async function chooseHead(data: HeadData, { seed, threads }: HeadOptions): Promise<ChosenHead> {
  const scaled = standardise(data);
  await using fitter = await openFitter(scaled.data, threads);
  const best = await bestPenalty(scaled.data, fitter, stratifiedFolds(data.rows, seed));
  const fitted = await fitRows(fitter, { penalty: best.penalty, tolerance: TOLERANCE });
  const members = best.members.map((member) => unscaled(member, scaled));
  return { head: unscaled(fitted, scaled), penalty: best.penalty, outOfFold: best.outOfFold, members };
}

/** The head to fine-tune a whole network from. */
export async function startingHead(data: HeadData, { threads }: Pick<HeadOptions, "threads">): Promise<Head> {
  const scaled = standardise(data);
  await using fitter = await openFitter(scaled.data, threads);
  return unscaled(await fitRows(fitter, { penalty: STARTING_PENALTY, tolerance: TOLERANCE }), scaled);
}

/** Only what other folds' heads say of each row, at one middling penalty: a fraction of the time of `chooseHead`. */
export async function outOfFoldOnly(data: HeadData, { seed, threads }: HeadOptions): Promise<Float32Array> {
  const scaled = standardise(data);
  await using fitter = await openFitter(scaled.data, threads);
  const roughly = { penalty: MIDDLING_PENALTY, tolerance: LOOSE_TOLERANCE };
  return (await crossValidate(scaled.data, fitter, { ...roughly, folds: stratifiedFolds(data.rows, seed) })).outOfFold;
}

/** Over all rows; a fit leaves some out. */
function openFitter({ features, width, classes: k, rows }: HeadData, threads: number): Promise<HeadFitter> {
  const targets = new Float32Array(rows.length * k);
  for (const [row, { target }] of rows.entries()) targets.set(target, row * k);
  const weights = Float64Array.from(rows, ({ weight }) => weight);
  return openHeadFitter({ embeddings: features, width, k, targets, weights }, { threads, scale: 1 });
}

type Fit = { readonly penalty: number; readonly tolerance: number };
type CrossValidated = { readonly outOfFold: Float32Array; readonly members: readonly Head[] };
type Tried = CrossValidated & { readonly penalty: number; readonly loss: number };

/** The loss falls with the penalty, then rises: the first rise ends the search. */
async function bestPenalty(data: HeadData, fitter: HeadFitter, folds: Int32Array): Promise<Tried> {
  let best: Tried | undefined;
  for (const penalty of penalties) {
    const validated = await crossValidate(data, fitter, { folds, penalty, tolerance: TOLERANCE });
    const loss = meanLogLoss(data, validated.outOfFold);
    if (best && loss >= best.loss) break;
    best = { penalty, ...validated, loss };
  }
  return best!;
}

type Scaled = { readonly data: HeadData; readonly mean: Float64Array; readonly deviation: Float64Array };

/** Relative: what varies by less is a constant whose mean was rounded. */
const ROUNDING = 1e-9;

/** Zero mean and unit variance per feature; a constant feature becomes 0. */
function standardise(data: HeadData): Scaled {
  const { features, width } = data;
  const n = features.length / width;
  const mean = new Float64Array(width);
  const deviation = new Float64Array(width);
  for (let index = 0; index < features.length; index++) mean[index % width]! += features[index]! / n;
  for (let index = 0; index < features.length; index++) {
    deviation[index % width]! += (features[index]! - mean[index % width]!) ** 2 / n;
  }
  for (let column = 0; column < width; column++) {
    const found = Math.sqrt(deviation[column]!);
    deviation[column] = found > ROUNDING * Math.abs(mean[column]!) ? found : 1;
  }
  const scaled = features.map((value, index) => (value - mean[index % width]!) / deviation[index % width]!);
  return { data: { ...data, features: scaled }, mean, deviation };
}

/** The same head on the features as they were. */
function unscaled({ weights, bias }: Head, { mean, deviation }: Scaled): Head {
  const d = mean.length;
  const own = weights.map((value, index) => value / deviation[index % d]!);
  const shifted = bias.map((value, c) => {
    let shift = 0;
    for (let j = 0; j < d; j++) shift += (weights[c * d + j]! * mean[j]!) / deviation[j]!;
    return value - shift;
  });
  return { weights: own, bias: shifted };
}

async function crossValidate(
  { features, width, classes, rows }: HeadData,
  fitter: HeadFitter,
  { folds, ...fit }: Fit & { readonly folds: Int32Array },
): Promise<CrossValidated> {
  const outOfFold = new Float32Array(rows.length * classes);
  const members: Head[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const held = [...folds.keys()].filter((row) => folds[row] === fold);
    if (held.length === 0) continue;
    const fitted = await fitRows(fitter, fit, (row) => folds[row] !== fold);
    members.push(fitted);
    for (const row of held) {
      outOfFold.set(logitsOf(fitted, features.subarray(row * width, (row + 1) * width)), row * classes);
    }
  }
  return { outOfFold, members };
}

/** @param features `[width]` */
function logitsOf({ weights, bias }: Head, features: Float32Array): Float32Array {
  return bias.map((value, c) => {
    let sum = value;
    for (let j = 0, w = c * features.length; j < features.length; j++, w++) sum += weights[w]! * features[j]!;
    return sum;
  });
}

async function fitRows(
  fitter: HeadFitter,
  { penalty, tolerance }: Fit,
  isUsed?: (row: number) => boolean,
): Promise<Head> {
  const { weights, bias } = await fitter.fit(penalty, { isUsed, tolerance });
  const [k, d] = [bias.length, weights.length / bias.length];
  return { weights: weights.map((_, index) => weights[(index % d) * k + Math.floor(index / d)]!), bias };
}
