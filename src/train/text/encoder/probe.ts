/** @file What the encoder's embeddings say before it is fine-tuned: where fine-tuning starts, and what is said out of fold. */

import { stratifiedFolds } from "../../folds.ts";
import type { TrainingWork } from "../../trainer.ts";
import type { TrainingSet } from "../../training-rows.ts";
import { choosePenalty } from "../embedding/choose-penalty.ts";
import { type HeadData, type LinearHead, openHeadFitter } from "../embedding/fit-head.ts";

export type Probe = {
  /** To start from; over embeddings of length 1. */
  readonly head: LinearHead;
  /** `[rows, k]`: each row by the best head that had not seen it. */
  readonly outOfFold: Float32Array;
};

/** A head to go on from starts out modest: one that is sure of its rows leaves the encoder nothing to learn from. */
const STARTING_PENALTY = 0.1;

/** @throws FlywheelError `training_interrupted` */
export async function fitProbe(data: HeadData, { rows }: TrainingSet, work: TrainingWork): Promise<Probe> {
  await using fitter = await openHeadFitter(data, work);
  const folds = stratifiedFolds(rows, work.seed);
  const classIndices = Int32Array.from(rows, ({ classIndex }) => classIndex);
  const stage = (update: Parameters<NonNullable<TrainingWork["progress"]>>[0]): void =>
    work.progress?.({ ...update, stage: "probe" });
  const { outOfFold } = await choosePenalty(fitter, { data, folds, classIndices }, { ...work, progress: stage });
  return { head: await fitter.fit(STARTING_PENALTY), outOfFold };
}
