/** @file How strongly the weights of the head are held back: what loses least out of fold. */

import { argmaxRows, logSoftmax } from "../../../math/softmax.ts";
import type { ModelCard } from "../../../records.ts";
import type { TrainingWork } from "../../trainer.ts";
import type { HeadData, HeadFitter, LinearHead } from "./fit-head.ts";
import { stopIfAsked } from "./interrupted.ts";

/** Tried from the strongest on, as factors of ½‖w‖² against the mean loss. */
const penalties = [0.3, 0.1, 0.03, 0.01, 0.003, 0.001] as const;

export type Problem = {
  readonly data: HeadData;
  /** `[n]` */
  readonly folds: Int32Array;
  /** The value in force of each row. `[n]` */
  readonly classIndices: Int32Array;
};

export type Chosen = {
  readonly penalty: number;
  /** `[n, k]`, nats: each row by a head that had not seen it. */
  readonly outOfFold: Float32Array;
  /** One of the folds' heads: whoever fits all rows starts near the end. */
  readonly head: LinearHead;
  /** One entry a penalty. */
  readonly history: ModelCard["history"];
};

/**
 * The loss falls with the penalty, then rises: the first rise ends the search.
 * @throws FlywheelError `training_interrupted`
 */
export async function choosePenalty(
  fitter: HeadFitter,
  problem: Problem,
  { progress, signal }: Pick<TrainingWork, "progress" | "signal"> = {},
): Promise<Chosen> {
  const history: ModelCard["history"][number][] = [];
  let heads: readonly LinearHead[] = [];
  let best: (Omit<Chosen, "history"> & { readonly loss: number }) | undefined;
  for (const [index, penalty] of penalties.entries()) {
    stopIfAsked(signal, `before penalty ${penalty} was tried`);
    heads = await fitFolds(fitter, problem, { penalty, starts: heads });
    const outOfFold = outOfFoldLogits(problem, heads);
    const loss = lossOf(problem.data, outOfFold);
    history.push({ epoch: index + 1, loss, accuracy: accuracyOf(problem, outOfFold) });
    progress?.({ stage: "train", done: index + 1, total: penalties.length, details: { loss: loss.toFixed(3) } });
    if (best && loss >= best.loss) break;
    best = { penalty, outOfFold, head: heads[0]!, loss };
  }
  return { ...best!, history };
}

/** A head for each fold, of the rows of all others. */
async function fitFolds(
  fitter: HeadFitter,
  { folds }: Problem,
  { penalty, starts }: { readonly penalty: number; readonly starts: readonly LinearHead[] },
): Promise<readonly LinearHead[]> {
  const heads: LinearHead[] = [];
  for (const fold of new Set(folds)) {
    const isUsed = (row: number): boolean => folds[row] !== fold;
    heads.push(await fitter.fit(penalty, { isUsed, start: starts[heads.length] }));
  }
  return heads;
}

function outOfFoldLogits({ data, folds }: Problem, heads: readonly LinearHead[]): Float32Array {
  const logits = new Float32Array(folds.length * data.k);
  const order = [...new Set(folds)];
  for (const [row, fold] of folds.entries()) addLogits(logits, row, data, heads[order.indexOf(fold)]!);
  return logits;
}

function addLogits(logits: Float32Array, row: number, { embeddings, width, k }: HeadData, head: LinearHead): void {
  const sums = Float64Array.from(head.bias);
  for (let j = 0; j < width; j++) {
    const value = embeddings[row * width + j]!;
    for (let c = 0; c < k; c++) sums[c]! += value * head.weights[j * k + c]!;
  }
  logits.set(sums, row * k);
}

/** Weighted mean cross-entropy, nats. */
function lossOf({ targets, weights, k }: HeadData, logits: Float32Array): number {
  const logs = logSoftmax(logits, k);
  let [loss, total] = [0, 0];
  for (const [row, weight] of weights.entries()) {
    total += weight;
    for (let c = 0; c < k; c++) loss -= weight * targets[row * k + c]! * logs[row * k + c]!;
  }
  return loss / total;
}

function accuracyOf({ classIndices, data: { k } }: Problem, logits: Float32Array): number {
  const predicted = argmaxRows(logits, k);
  return classIndices.filter((classIndex, row) => classIndex === predicted[row]).length / classIndices.length;
}
