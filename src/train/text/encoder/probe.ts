/** @file What the encoder's embeddings say before it is fine-tuned: where fine-tuning starts, and what is said out of fold. */

import { FlywheelError } from "../../../errors.ts";
import { stratifiedFolds } from "../../folds.ts";
import type { TrainingWork } from "../../trainer.ts";
import type { TrainingSet } from "../../training-rows.ts";
import { type HeadData, type LinearHead, openHeadFitter } from "../embedding/fit-head.ts";

export type Probe = {
  /** Over embeddings of length 1. */
  readonly head: LinearHead;
  /** `[rows, k]`: each row by a head that had not seen it. */
  readonly outOfFold: Float32Array;
};

/** As strong as predicts well out of fold on tasks of two to eighty classes; one fit a fold, not a search. */
const PENALTY = 0.01;
/** A head to go on from starts out modest: one that is sure of its rows leaves the encoder nothing to learn from. */
const STARTING_PENALTY = 0.1;

/** @throws FlywheelError `training_interrupted` */
export async function fitProbe(data: HeadData, { rows }: TrainingSet, work: TrainingWork): Promise<Probe> {
  await using fitter = await openHeadFitter(data, work);
  const folds = stratifiedFolds(rows, work.seed);
  const outOfFold = new Float32Array(rows.length * data.k);
  for (const fold of new Set(folds)) {
    if (work.signal?.aborted) throw interrupted(work.signal.reason);
    const head = await fitter.fit(PENALTY, (row) => folds[row] !== fold);
    for (let row = 0; row < rows.length; row++) if (folds[row] === fold) writeLogits(outOfFold, row, data, head);
  }
  return { head: await fitter.fit(STARTING_PENALTY), outOfFold };
}

function writeLogits(logits: Float32Array, row: number, { embeddings, width, k }: HeadData, head: LinearHead): void {
  const sums = Float64Array.from(head.bias);
  for (let j = 0; j < width; j++) {
    const value = embeddings[row * width + j]!;
    for (let c = 0; c < k; c++) sums[c]! += value * head.weights[j * k + c]!;
  }
  logits.set(sums, row * k);
}

function interrupted(cause: unknown): FlywheelError {
  return new FlywheelError("training_interrupted", "training was stopped before the first step", {
    hint: "run the same command again: embeddings are kept",
    retryable: true,
    cause,
  });
}
