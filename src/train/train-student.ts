/**
 * @file Labels in, a student out. A model is named by the hash of what it is made from, so training again with the same
 * inputs finds it and does nothing; a run that was stopped continues from its checkpoint.
 */

import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import type { Clock, Progress } from "../contracts.ts";
import { fork, type Seed } from "../math/random.ts";
import { countParameters } from "../onnx/parameters.ts";
import { type ModelCard, type ModelId, modelId, type Prediction } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { metadataOf, writeModelFolder } from "./model-folder.ts";
import { predictHeldOut } from "./predict-held-out.ts";
import { rareClasses } from "./rare-classes.ts";
import { threadsOf } from "./threads.ts";
import type { PreparedTraining, TrainedStudent } from "./trainer.ts";
import { trainerFor } from "./trainers.ts";
import { type RowsFilter, readTrainingSet, type TrainingSet } from "./training-rows.ts";

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
  /** Whether train rows get out-of-fold predictions, for review and comparison; a first look does without. Default true. */
  readonly outOfFold?: boolean | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Trains the task's student on the labels in force, and leaves in the store: the model with its card, held-out
 * predictions of every calibrate and certify row that anybody has judged, out-of-fold predictions of the train rows
 * (`image/train-network.ts` says how far these are out of fold for networks).
 * @throws FlywheelError `no_training_rows`, `one_class_only`, `unknown_label`, `unknown_trainer`, what the trainer throws;
 *   `training_interrupted` (retryable) when stopped
 */
export async function trainStudent(options: TrainStudentOptions): Promise<ModelCard> {
  const { store } = options;
  const job = await prepare(options);
  const card = (await store.models.get(job.id)) ?? (await train(options, job));
  await predictHeldOut({ ...options, card, folder: store.models.folder(card.id) });
  return card;
}

/** Everything that the model follows from. */
type Job = PreparedTraining & { readonly id: ModelId; readonly set: TrainingSet };

async function prepare(options: TrainStudentOptions): Promise<Job> {
  const { store, task, seed, rowsFilter } = options;
  const prepareTraining = await trainerFor(task.input);
  const set = await readTrainingSet(store, task, rowsFilter);
  const prepared = await prepareTraining({ ...options, set });
  const { trainer, preprocessing, follows } = prepared;
  const made = { codeVersion, seed: String(seed), trainer, preprocessing, data: set.hash, follows };
  const id = modelId(createHash("sha256").update(JSON.stringify(made)).digest("hex"));
  return { ...prepared, id, set };
}

async function train(options: TrainStudentOptions, job: Job): Promise<ModelCard> {
  const { store, seed, clock } = options;
  const workFolder = `${store.models.folder(job.id)}.training`;
  const startedAt = clock.now();
  const trained = await job.run({ ...options, workFolder, threads: threadsOf(options), seed: fork(seed, "train") });
  const card = await register(options, job, { ...trained, startedAt });
  await rm(workFolder, { recursive: true, force: true });
  return card;
}

/** The card goes in last: a model that the store knows is whole. */
async function register(
  { store, task, seed, clock }: TrainStudentOptions,
  job: Job,
  trained: TrainedStudent & { readonly startedAt: number },
): Promise<ModelCard> {
  const { id, set, trainer, preprocessing } = job;
  const { classes } = set;
  const metadata = metadataOf({ id, classes, preprocessing, dataHash: set.hash, trainer });
  const model = { ...trained.model, metadata: { ...trained.model.metadata, ...metadata } };
  const now = clock.now();
  const card = await writeModelFolder(store.models.folder(id), {
    model,
    files: trained.files,
    card: {
      id,
      trainer,
      inputKind: task.input,
      classes,
      ...(trained.members && { members: trained.members }),
      parameters: trained.parameters ?? countParameters(model),
      seed: String(seed),
      dataHash: set.hash,
      trainingRows: set.rows.length,
      options: {
        ...job.options,
        ...trained.found,
        warnings: [...(job.warnings ?? []), ...rareClasses(set)],
      },
      ...(preprocessing && { preprocessing }),
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

function outOfFoldPredictions({ id, set }: Job, logits: Float32Array | undefined): readonly Prediction[] {
  if (!logits) return [];
  const k = set.classes.length;
  return set.rows.map((row, index) => ({
    modelId: id,
    rowId: row.id,
    basis: "out-of-fold",
    logits: logits.slice(index * k, (index + 1) * k),
  }));
}
