/**
 * @file Students for texts, tier 1: sentence embeddings of an encoder that stays as it is, with logistic regression and the
 * nearest training texts stacked on them (SCIENCE D10). Sees that two wordings mean the same where n-grams share nothing.
 */

import { FlywheelError } from "../../../errors.ts";
import type { ModelCard } from "../../../records.ts";
import { stratifiedFolds } from "../../folds.ts";
import { meanLogLoss } from "../../mean-log-loss.ts";
import type { PreparedTraining, TrainedStudent, TrainerContext, TrainingWork } from "../../trainer.ts";
import type { TrainingSet } from "../../training-rows.ts";
import { textOf } from "../text-input.ts";
import { embedRows } from "./embed-rows.ts";
import { openEncoder } from "./encoder.ts";
import { type EncoderFiles, hashOfFiles, readEncoderFiles } from "./encoder-files.ts";
import { type HeadData, type HeadFitter, type LinearHead, openHeadFitter } from "./fit-head.ts";
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
  const chosen = await choosePenalty(fitter, { data, folds, set }, work);
  stopIfAsked(signal, "before the nearest texts were found");
  const votes = await votesOutOfFold({ ...data, folds }, { threads });
  const shares = fitStack({ ...data, linear: chosen.outOfFold, votes });
  const classIndices = Int32Array.from(set.rows, ({ classIndex }) => classIndex);
  return {
    model: headNetwork({ data, classIndices, linear: await fitter.fit(chosen.penalty), shares }),
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

/** Tried from the strongest on, as factors of ½‖w‖² against the mean loss. */
const penalties = [0.3, 0.1, 0.03, 0.01, 0.003, 0.001] as const;

type Chosen = {
  readonly penalty: number;
  /** `[n, k]` */
  readonly outOfFold: Float32Array;
  readonly history: ModelCard["history"];
};

type Problem = { readonly data: HeadData; readonly folds: Int32Array; readonly set: TrainingSet };

/** The loss falls with the penalty, then rises: the first rise ends the search. */
async function choosePenalty(
  fitter: HeadFitter,
  problem: Problem,
  { progress, signal }: Pick<TrainingWork, "progress" | "signal">,
): Promise<Chosen> {
  const history: ModelCard["history"][number][] = [];
  let best: (Omit<Chosen, "history"> & { readonly loss: number }) | undefined;
  for (const [index, penalty] of penalties.entries()) {
    stopIfAsked(signal, `before penalty ${penalty} was tried`);
    const outOfFold = await outOfFoldLogits(fitter, problem, penalty);
    const loss = meanLogLoss({ rows: problem.set.rows, classes: problem.data.k }, outOfFold);
    history.push({ epoch: index + 1, loss, accuracy: accuracyOf(problem, outOfFold) });
    progress?.({ stage: "train", done: index + 1, total: penalties.length, details: { loss: loss.toFixed(3) } });
    if (best && loss >= best.loss) break;
    best = { penalty, outOfFold, loss };
  }
  return { ...best!, history };
}

async function outOfFoldLogits(fitter: HeadFitter, { data, folds }: Problem, penalty: number): Promise<Float32Array> {
  const logits = new Float32Array(folds.length * data.k);
  for (const fold of new Set(folds)) {
    const head = await fitter.fit(penalty, (row) => folds[row] !== fold);
    for (let row = 0; row < folds.length; row++) if (folds[row] === fold) addLogits(logits, row, data, head);
  }
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

function accuracyOf({ set, data: { k } }: Problem, logits: Float32Array): number {
  const right = set.rows.filter(({ classIndex }, row) => {
    const own = logits.subarray(row * k, (row + 1) * k);
    return own.indexOf(Math.max(...own)) === classIndex;
  });
  return right.length / set.rows.length;
}
