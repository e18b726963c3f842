/**
 * @file The head alone: multinomial logistic regression on features that a frozen backbone has computed once. Convex, so
 * it needs no schedule and no seed; with few rows it is as good as anything (SCIENCE §6).
 */

import { fitLogistic, type Logistic, logisticLogits } from "../../math/logistic.ts";
import type { Seed } from "../../math/random.ts";
import { FOLDS, stratifiedFolds } from "../folds.ts";
import { meanLogLoss } from "../mean-log-loss.ts";
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
export function chooseHead(data: HeadData, seed: Seed): ChosenHead {
  const scaled = standardise(data);
  const best = bestPenalty(scaled.data, stratifiedFolds(data.rows, seed));
  const fitted = fitRows(scaled.data, undefined, { penalty: best.penalty, tolerance: TOLERANCE });
  const members = best.members.map((member) => unscaled(member, scaled));
  return { head: unscaled(fitted, scaled), penalty: best.penalty, outOfFold: best.outOfFold, members };
}

/** The head to fine-tune a whole network from. */
export function startingHead(data: HeadData): Head {
  const scaled = standardise(data);
  return unscaled(fitRows(scaled.data, undefined, { penalty: STARTING_PENALTY, tolerance: TOLERANCE }), scaled);
}

/** Only what other folds' heads say of each row, at one middling penalty: a fraction of the time of `chooseHead`. */
export function outOfFoldOnly(data: HeadData, seed: Seed): Float32Array {
  return crossValidate(standardise(data).data, stratifiedFolds(data.rows, seed), roughly).outOfFold;
}

const roughly: Fit = { penalty: MIDDLING_PENALTY, tolerance: LOOSE_TOLERANCE };

type Fit = { readonly penalty: number; readonly tolerance: number };
type CrossValidated = { readonly outOfFold: Float32Array; readonly members: readonly Logistic[] };
type Tried = CrossValidated & { readonly penalty: number; readonly loss: number };

/** The loss falls with the penalty, then rises: the first rise ends the search. */
function bestPenalty(data: HeadData, folds: Int32Array): Tried {
  let best: Tried | undefined;
  for (const penalty of penalties) {
    const validated = crossValidate(data, folds, { penalty, tolerance: TOLERANCE });
    const loss = meanLogLoss(data, validated.outOfFold);
    if (best && loss >= best.loss) break;
    best = { penalty, ...validated, loss };
  }
  return best!;
}

type Scaled = { readonly data: HeadData; readonly mean: Float64Array; readonly deviation: Float64Array };

/** Zero mean and unit variance per feature; a constant feature becomes 0. */
function standardise(data: HeadData): Scaled {
  const { features, width } = data;
  const n = features.length / width;
  const mean = new Float64Array(width);
  const deviation = new Float64Array(width);
  features.forEach((value, index) => {
    mean[index % width]! += value / n;
  });
  features.forEach((value, index) => {
    deviation[index % width]! += (value - mean[index % width]!) ** 2 / n;
  });
  for (let column = 0; column < width; column++) deviation[column] = Math.sqrt(deviation[column]!) || 1;
  const scaled = features.map((value, index) => (value - mean[index % width]!) / deviation[index % width]!);
  return { data: { ...data, features: scaled }, mean, deviation };
}

function unscaled({ weights, bias, d, k }: Logistic, { mean, deviation }: Scaled): Head {
  const own = Float32Array.from(weights, (value, index) => value / deviation[index % d]!);
  const shifted = Float32Array.from({ length: k }, (_, c) => {
    let shift = 0;
    for (let j = 0; j < d; j++) shift += (weights[c * d + j]! * mean[j]!) / deviation[j]!;
    return bias[c]! - shift;
  });
  return { weights: own, bias: shifted };
}

function crossValidate(data: HeadData, folds: Int32Array, fit: Fit): CrossValidated {
  const { features, width, classes } = data;
  const logits = new Float32Array(data.rows.length * classes);
  const members: Logistic[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const held = [...folds.keys()].filter((row) => folds[row] === fold);
    if (held.length === 0) continue;
    const fitted = fitRows(data, (row) => folds[row] !== fold, fit);
    members.push(fitted);
    for (const row of held) {
      logits.set(logisticLogits(fitted, features.subarray(row * width, (row + 1) * width)), row * classes);
    }
  }
  return { outOfFold: logits, members };
}

function fitRows(data: HeadData, isUsed: ((row: number) => boolean) | undefined, fit: Fit): Logistic {
  const { features, width: d, classes: k } = data;
  const used = [...data.rows.keys()].filter((row) => isUsed?.(row) ?? true);
  const own = new Float32Array(used.length * d);
  const targets = new Float32Array(used.length * k);
  used.forEach((row, position) => {
    own.set(features.subarray(row * d, (row + 1) * d), position * d);
    targets.set(data.rows[row]!.target, position * k);
  });
  const weights = used.map((row) => data.rows[row]!.weight);
  return fitLogistic({ features: own, d, k, targets, weights }, { l2: fit.penalty, tolerance: fit.tolerance });
}
