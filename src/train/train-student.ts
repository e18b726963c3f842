/**
 * @file Labels in, a student out. A model is named by the hash of what it is made from, so training again with the same
 * inputs finds it and does nothing; a run that was stopped continues from its checkpoint.
 */

import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import type { Clock, Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { fork, type Seed } from "../math/random.ts";
import { countParameters } from "../onnx/parameters.ts";
import { type ModelCard, type ModelId, modelId, type Prediction } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, type Task } from "../task.ts";
import { metadataOf, writeModelFolder } from "./model-folder.ts";
import { predictHeldOut } from "./predict-held-out.ts";
import { type Recipe, recipeFor, trainsBackbone } from "./recipe.ts";
import { type StartingNetwork, startingNetwork } from "./starting-network.ts";
import { threadsOf } from "./threads.ts";
import { type TrainedNetwork, trainNetwork } from "./train-network.ts";
import {
  type RowsFilter,
  readTrainingSet,
  readValidationRows,
  type TrainingRow,
  type TrainingSet,
} from "./training-rows.ts";

/** Grows whenever the same inputs would give another model. */
const codeVersion = "train/1";

export type TrainStudentOptions = {
  readonly store: Store;
  readonly task: Task;
  readonly seed: Seed;
  readonly clock: Clock;
  /** Default: the task's, else every core. Another number gives another rounding, not another model. */
  readonly threads?: number | undefined;
  /** Which labelled rows of the train split to use; default: all. */
  readonly rowsFilter?: RowsFilter | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Trains the task's student on the labels in force, and leaves in the store: the model with its card, held-out
 * predictions of every calibrate and certify row that anybody has judged, out-of-fold predictions of the train rows
 * (`train-network.ts` says how far these are out of fold).
 * @throws FlywheelError `no_training_rows`, `one_class_only`, `unknown_label`, `unknown_trainer`, `weights_…`,
 *   `unknown_preprocessing`, `training_photo_unreadable`, `onnx_diverged`; `training_interrupted` (retryable) when stopped
 */
export async function trainStudent(options: TrainStudentOptions): Promise<ModelCard> {
  const { store, task } = options;
  if (task.input !== "image") {
    throw new FlywheelError("unknown_trainer", `there is no student for ${task.input} yet`, {
      hint: "set the task's input to image",
    });
  }
  const job = await prepare(options);
  const card = (await store.models.get(job.id)) ?? (await train(options, job));
  await predictHeldOut({ ...options, card, folder: store.models.folder(card.id) });
  return card;
}

/** Everything that the model follows from. */
type Job = {
  readonly id: ModelId;
  readonly set: TrainingSet;
  readonly validation: readonly TrainingRow[];
  readonly network: StartingNetwork;
  readonly recipe: Recipe;
  readonly trainsBackbone: boolean;
  readonly options: ModelCard["options"];
};

async function prepare({ store, task, seed, clock, rowsFilter, signal }: TrainStudentOptions): Promise<Job> {
  const { student } = task;
  const set = await readTrainingSet(store, task, rowsFilter);
  const classes = classesOf(task);
  const sha256 = student.weightsSha256;
  const network = await startingNetwork({ student, classes, seed: String(seed), sha256, clock, signal });
  const recipe = recipeFor(student, network);
  const unfreezes = trainsBackbone(student, { ...network, rows: set.rows.length, classes: classes.length });
  const validation = unfreezes ? await readValidationRows(store, task) : [];
  const options = {
    ...recipe,
    trainsBackbone: unfreezes,
    weights: student.weights,
    weightsSha256: network.weightsSha256,
    validationRows: validation.length,
  };
  const made = {
    codeVersion,
    seed: String(seed),
    trainer: network.trainer,
    preprocessing: network.preprocessing,
    data: set.hash,
    validation: validation.map(({ id, classIndex }) => [id, classIndex]),
    options: { ...options, weights: undefined },
  };
  const id = modelId(createHash("sha256").update(JSON.stringify(made)).digest("hex"));
  return { id, set, validation, network, recipe, trainsBackbone: unfreezes, options };
}

async function train(options: TrainStudentOptions, job: Job): Promise<ModelCard> {
  const { store, seed, clock } = options;
  const workFolder = `${store.models.folder(job.id)}.training`;
  const startedAt = clock.now();
  const trained = await trainNetwork({
    ...options,
    ...job,
    blobs: store.blobs,
    workFolder,
    threads: threadsOf(options),
    seed: fork(seed, "train"),
  });
  const card = await register(options, job, { ...trained, startedAt });
  await rm(workFolder, { recursive: true, force: true });
  return card;
}

/** The card goes in last: a model that the store knows is whole. */
async function register(
  { store, seed, clock }: TrainStudentOptions,
  job: Job,
  trained: TrainedNetwork & { readonly startedAt: number },
): Promise<ModelCard> {
  const { id, set, network } = job;
  const { trainer, preprocessing } = network;
  const { classes } = set;
  const metadata = metadataOf({ id, classes, preprocessing, dataHash: set.hash, trainer });
  const model = { ...trained.model, metadata: { ...trained.model.metadata, ...metadata } };
  const now = clock.now();
  const card = await writeModelFolder(store.models.folder(id), {
    model,
    card: {
      id,
      trainer,
      inputKind: "image",
      classes,
      parameters: countParameters(model),
      seed: String(seed),
      dataHash: set.hash,
      trainingRows: set.rows.length,
      options: job.options,
      preprocessing,
      history: trained.history,
      codeVersion,
      createdAt: now,
      trainingMs: now - trained.startedAt,
    },
  });
  await store.predictions.put(outOfFoldPredictions(job, trained.outOfFold));
  await store.models.put(card);
  return card;
}

function outOfFoldPredictions({ id, set }: Job, logits: Float32Array): readonly Prediction[] {
  const k = set.classes.length;
  return set.rows.map((row, index) => ({
    modelId: id,
    rowId: row.id,
    basis: "out-of-fold",
    logits: logits.slice(index * k, (index + 1) * k),
  }));
}
