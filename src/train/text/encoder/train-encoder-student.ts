/**
 * @file Students for texts, tier 2: a small ONNX encoder fine-tuned, token ids in, logits out. Starts where tier 1's
 * regression ends and moves the encoder under it.
 *
 * Out-of-fold logits come from five heads on the embeddings from *before* fine-tuning, each fitted without a fold: nothing
 * in them has seen the row, so they are out of fold in full; but they are those of that probe, which is weaker than the
 * student that serves. They rank suspicious labels; calibrate and certify rows measure.
 */

import { join } from "node:path";
import { FlywheelError } from "../../../errors.ts";
import type { Model } from "../../../onnx/model.ts";
import { withFeatures } from "../../../onnx/surgery.ts";
import type { StudentOptions } from "../../../task.ts";
import { collectNeighbours, rowsToKeep, writeNeighbours } from "../../feature-neighbours.ts";
import { meanLogLoss } from "../../mean-log-loss.ts";
import { neighboursFile } from "../../neighbours-file.ts";
import type { PreparedTraining, TrainedStudent, TrainerContext, TrainingWork } from "../../trainer.ts";
import { readValidationRows, type TrainingRow, type TrainingSet } from "../../training-rows.ts";
import { embedRows } from "../embedding/embed-rows.ts";
import { openEncoder } from "../embedding/encoder.ts";
import { type EncoderFiles, hashOfFiles, readEncoderFiles } from "../embedding/encoder-files.ts";
import type { HeadData } from "../embedding/fit-head.ts";
import { textOf } from "../text-input.ts";
import { classifierOn } from "./classifier-network.ts";
import { fitEncoder } from "./fit-encoder.ts";
import { fitProbe } from "./probe.ts";
import { openReading, type Reading, readNetwork } from "./reading.ts";
import { type EncoderRecipe, recipeFor } from "./recipe.ts";
import { openTokenNetwork, type TokenIds } from "./token-network.ts";

export const encoderTrainer = "encoder-text";

/** @throws FlywheelError `student_bad_option`, as `readEncoderFiles`; running: as `openEncoder`, `fitEncoder` */
export async function trainEncoderStudent(context: TrainerContext): Promise<PreparedTraining> {
  const { store, task, set, clock, signal } = context;
  const weights = weightsOf(task.student);
  const files = await readEncoderFiles({ weights, sha256: task.student.weightsSha256, clock, signal });
  if (files.kind === "static") throw badOption(`${weights} is a table of token vectors, no network`);
  const validation = await readValidationRows(store, task);
  const recipe = recipeFor(task.student);
  const options = { encoderHash: hashOfFiles(files), ...recipe };
  return {
    trainer: encoderTrainer,
    options: { ...options, weights, validationRows: validation.length },
    follows: { ...options, validation: validation.map(({ id, classIndex }) => [id, classIndex]) },
    run: (work) => run({ files, set, validation, recipe }, work),
  };
}

function weightsOf({ weights, finetune }: StudentOptions): string {
  if (weights === undefined) throw badOption("`weights` is missing");
  if (finetune === "head") throw badOption('finetune is "head"');
  return weights;
}

function badOption(why: string): FlywheelError {
  return new FlywheelError("student_bad_option", `trainer "${encoderTrainer}" fine-tunes an encoder, and ${why}`, {
    hint: 'give `weights`: a folder with model.onnx, tokenizer.json and config.json, or hf:ORGANISATION/REPOSITORY; trainer "embedding-text" leaves an encoder as it is',
  });
}

type Plan = {
  readonly files: EncoderFiles;
  readonly set: TrainingSet;
  /** Calibrate rows for early stopping; none: every epoch runs. */
  readonly validation: readonly TrainingRow[];
  readonly recipe: EncoderRecipe;
};

async function run({ files, set, validation, recipe }: Plan, work: TrainingWork): Promise<TrainedStudent> {
  const data = await embeddedRows(files, set, work);
  const { head, outOfFold } = await fitProbe(data, set, work);
  const reading = openReading(files);
  const network = await readNetwork(files);
  const { width, k } = data;
  const [ids, held] = [idsOf(set.rows, reading), idsOf(validation, reading)];
  const { model, history } = await fitEncoder({
    ...work,
    forward: classifierOn({ ...network, pooling: reading.pooling, width, k, head }),
    rows: set.rows,
    ids,
    recipe,
    checkpointPath: join(work.workFolder, "checkpoint.safetensors"),
    validate: validation.length > 0 ? (trained) => heldOutLoss(trained, { validation, held, k }, work) : undefined,
  });
  const neighbours = await neighboursUnder(model, { rows: set.rows, ids, width, k }, work);
  const served = new Map([...filesToServe(files), [neighboursFile, neighbours]]);
  return { model, files: served, outOfFold, history, found: { maxTokens: reading.maxTokens } };
}

async function embeddedRows(
  files: EncoderFiles,
  { rows, classes }: TrainingSet,
  work: TrainingWork,
): Promise<HeadData> {
  await using encoder = await openEncoder(files, work);
  const embeddings = await embedRows(
    encoder,
    rows.map((row) => textOf(row.input, `row ${row.id}`)),
    work,
  );
  const k = classes.length;
  const targets = new Float32Array(rows.length * k);
  for (const [row, { target }] of rows.entries()) targets.set(target, row * k);
  return { embeddings, width: encoder.width, k, targets, weights: Float64Array.from(rows, ({ weight }) => weight) };
}

const idsOf = (rows: readonly TrainingRow[], { encode }: Reading): readonly TokenIds[] =>
  rows.map((row) => encode(textOf(row.input, `row ${row.id}`)));

type HeldOut = Pick<Plan, "validation"> & { readonly held: readonly TokenIds[]; readonly k: number };

async function heldOutLoss(
  model: Model,
  { validation, held, k }: HeldOut,
  { threads, progress, signal }: TrainingWork,
): Promise<number> {
  await using network = await openTokenNetwork(model, threads);
  const onDone = (done: number): void => progress?.({ stage: "validate", done, total: held.length });
  const said = await network.run(held, ["logits"], { onDone, signal });
  return meanLogLoss({ rows: validation, classes: k }, said.get("logits")!);
}

type Trained = Pick<HeadData, "width" | "k"> & {
  readonly rows: readonly TrainingRow[];
  readonly ids: readonly TokenIds[];
};

/** What the trained network reads of some training texts, for `Student.novelty`. */
async function neighboursUnder(
  model: Model,
  { rows, ids, width, k }: Trained,
  { threads, progress, signal }: TrainingWork,
): Promise<Uint8Array> {
  const { network: wider, features } = withFeatures(model);
  await using network = await openTokenNetwork(wider, threads);
  const classIndices = Int32Array.from(rows, ({ classIndex }) => classIndex);
  const kept = rowsToKeep({ classIndices, classes: k }, width);
  const texts = kept.rows.map((row) => ids[row]!);
  const onDone = (done: number): void => progress?.({ stage: "neighbours", done, total: texts.length });
  const said = await network.run(texts, [features], { onDone, signal });
  return writeNeighbours(collectNeighbours(said.get(features)!, kept.classStarts));
}

/** All but the encoder's own weights: how it reads texts. */
const filesToServe = ({ files }: EncoderFiles): ReadonlyMap<string, Uint8Array> =>
  new Map([...files].filter(([name]) => name !== "encoder.onnx"));
