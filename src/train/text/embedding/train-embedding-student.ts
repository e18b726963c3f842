/**
 * @file Students for texts, tier 1: sentence embeddings of an encoder that stays as it is, with logistic regression and the
 * nearest training texts stacked on them (SCIENCE D10). Sees that two wordings mean the same where n-grams share nothing.
 */

import { FlywheelError } from "../../../errors.ts";
import { stratifiedFolds } from "../../folds.ts";
import type { PreparedTraining, TrainedStudent, TrainerContext, TrainingWork } from "../../trainer.ts";
import type { TrainingSet } from "../../training-rows.ts";
import { textOf } from "../text-input.ts";
import { choosePenalty } from "./choose-penalty.ts";
import { embedRows } from "./embed-rows.ts";
import { openEncoder } from "./encoder.ts";
import { type EncoderFiles, hashOfFiles, readEncoderFiles } from "./encoder-files.ts";
import { type HeadData, openHeadFitter } from "./fit-head.ts";
import { headNetwork } from "./head-network.ts";
import { stopIfAsked } from "./interrupted.ts";
import { votesOutOfFold } from "./neighbour-votes.ts";
import { fitStack, stacked } from "./stack.ts";

export const embeddingTrainer = "embedding-text";

/** @throws FlywheelError `student_bad_option`, as `readEncoderFiles`; running: as `openEncoder` */
export async function trainEmbeddingStudent({ task, set, clock, signal }: TrainerContext): Promise<PreparedTraining> {
  const { weights, weightsSha256 } = task.student;
  if (weights === undefined) {
    throw new FlywheelError("student_bad_option", `trainer "${embeddingTrainer}" has no \`weights\``, {
      hint: "give a folder with an encoder (model.onnx or Model2Vec's model.safetensors, tokenizer.json, config.json), or hf:ORGANISATION/REPOSITORY",
    });
  }
  const encoder = await readEncoderFiles({ weights, sha256: weightsSha256, clock, signal });
  const encoderHash = hashOfFiles(encoder);
  return {
    trainer: embeddingTrainer,
    options: { weights, encoder: encoder.kind, encoderHash },
    follows: { encoderHash, head: 1 },
    run: (work) => run(encoder, set, work),
  };
}

async function run(files: EncoderFiles, set: TrainingSet, work: TrainingWork): Promise<TrainedStudent> {
  const { threads, signal } = work;
  const data = await embeddedData(files, set, work);
  const folds = stratifiedFolds(set.rows, work.seed);
  await using fitter = await openHeadFitter(data, { threads });
  const classIndices = Int32Array.from(set.rows, ({ classIndex }) => classIndex);
  const chosen = await choosePenalty(fitter, { data, folds, classIndices }, work);
  stopIfAsked(signal, "before the nearest texts were found");
  const votes = await votesOutOfFold({ ...data, folds }, { threads });
  const shares = fitStack({ ...data, linear: chosen.outOfFold, votes });
  return {
    model: headNetwork({
      data,
      classIndices,
      linear: await fitter.fit(chosen.penalty, { start: chosen.head }),
      shares,
    }),
    files: files.files,
    outOfFold: stacked({ linear: chosen.outOfFold, votes }, shares),
    history: chosen.history,
    found: { penalty: chosen.penalty, shares },
  };
}

async function embeddedData(files: EncoderFiles, set: TrainingSet, work: TrainingWork): Promise<HeadData> {
  await using encoder = await openEncoder(files, work);
  const embeddings = await embedRows(
    encoder,
    set.rows.map(({ id, input }) => textOf(input, `row ${id}`)),
    work,
  );
  const k = set.classes.length;
  const targets = new Float32Array(set.rows.length * k);
  for (const [row, { target }] of set.rows.entries()) targets.set(target, row * k);
  const weights = Float64Array.from(set.rows, ({ weight }) => weight);
  return { embeddings, width: encoder.width, k, targets, weights };
}
