/**
 * @file What every kind of student promises to training. `train-student.ts` reads the rows, names the model, registers it and
 * lets it predict; a trainer says what its model follows from, and fits it.
 */

import type { Clock, Progress, Student } from "../contracts.ts";
import type { Seed } from "../math/random.ts";
import type { Model } from "../onnx/model.ts";
import type { ImagePreprocessing, ModelCard } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import type { TrainingSet } from "./training-rows.ts";

export type TrainerContext = {
  readonly store: Store;
  readonly task: Task;
  readonly set: TrainingSet;
  readonly seed: Seed;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
};

/** One kind of student: networks on images, linear models on text, trees on records. */
export type StudentTrainer = (context: TrainerContext) => Promise<PreparedTraining>;

/** A training that could start now. */
export type PreparedTraining = {
  /** For the card: `mobilenet-v3-small`, `linear-text`, `xgboost`. */
  readonly trainer: string;
  /** Written on the card: what a person would want to know of how it was made. */
  readonly options: ModelCard["options"];
  /** What a person should know of the rows; on the card as well. */
  readonly warnings?: readonly string[];
  /**
   * All that the model follows from besides training rows, seed, trainer and code version; plain JSON. Two trainings with
   * the same are the same model.
   */
  readonly follows: unknown;
  readonly preprocessing?: ImagePreprocessing;
  /** @throws FlywheelError `training_interrupted` (retryable) where the signal fired and what was done is kept */
  run(work: TrainingWork): Promise<TrainedStudent>;
};

export type TrainingWork = {
  /** For what a stopped training continues from; removed once the model is registered. Need not exist yet. */
  readonly workFolder: string;
  readonly threads: number;
  readonly seed: string;
  /** Whether out-of-fold logits are wanted; a trainer may leave them out where they are not. Default true. */
  readonly outOfFold?: boolean | undefined;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type TrainedStudent = {
  /** Becomes `model.onnx`: everything that any other program needs to run it. */
  readonly model: Model;
  /** Further files of the model folder by name, each checked by its hash whenever the model is loaded. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
  /** Of a committee among the files; absent where there is none. */
  readonly members?: number | undefined;
  /** Where it is not the number of trained numbers in `model`. */
  readonly parameters?: number;
  /** `[set.rows, classes]`, nats: each row by a model that had not seen it. Absent only where not wanted. */
  readonly outOfFold?: Float32Array | undefined;
  readonly history: ModelCard["history"];
  /** Joins the card's options: what only came out as it ran, such as importances of features. */
  readonly found?: ModelCard["options"];
};

export type LoadOptions = {
  /** Threads inside one prediction. */
  readonly threads: number;
  /**
   * Whether nothing is taken from memory that this process has of an input (its pixels, its embedding): a stopwatch wants the
   * whole work. Default false.
   */
  readonly isTimed?: boolean | undefined;
};

/** Opens a model folder whose card says that it is of this kind. The card and `model.onnx` have been checked. */
export type StudentLoader = (folder: ModelFiles, options: LoadOptions) => Promise<Student>;

/** A model folder whose files are those that training wrote. */
export type ModelFiles = {
  readonly folder: string;
  /** As parsed from JSON; each loader reads what it depends on. */
  readonly card: unknown;
  /** By name, `model.onnx` included. */
  readonly files: ReadonlyMap<string, Uint8Array>;
};
