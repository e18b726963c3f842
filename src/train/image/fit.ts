/**
 * @file The training loop: batches from other threads, one graph per step, a checkpoint every half minute and whenever it
 * is stopped. Batch order and augmentation follow from seed, epoch and row alone, so that a
 * run continued from a checkpoint ends bit for bit as one that was never stopped (with the same number of threads).
 */

import type { Clock, Progress } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import { fork, type Seed } from "../../math/random.ts";
import type { Model } from "../../onnx/model.ts";
import { withParameters } from "../../onnx/parameters.ts";
import type { Safetensors } from "../../onnx/safetensors.ts";
import { cosineLearningRate } from "../../onnx/schedule.ts";
import { floats, type TensorOf } from "../../onnx/tensor.ts";
import { createTrainer, type StepResult, type Trainer } from "../../onnx/trainer.ts";
import type { ImagePreprocessing } from "../../records.ts";
import type { TrainingRow } from "../training-rows.ts";
import { type BatchPlan, loadBatches } from "./batch-loader.ts";
import {
  type Checkpoint,
  type EpochRecord,
  firstPosition,
  type Position,
  readCheckpoint,
  writeCheckpoint,
} from "./checkpoint.ts";
import { planEpoch } from "./plan-epoch.ts";
import type { Recipe } from "./recipe.ts";

export type FitOptions = {
  /** `images` `[N, 3, size, size]` → `logits` `[N, classes]`. */
  readonly forward: Model;
  /** Initialisers to train; all parameters where absent. */
  readonly parameters?: readonly string[] | undefined;
  readonly rows: readonly TrainingRow[];
  /** What `writePhotoFile` wrote of `rows`. */
  readonly photosPath: string;
  readonly preprocessing: ImagePreprocessing;
  readonly recipe: Recipe;
  readonly threads: number;
  readonly seed: Seed;
  readonly checkpointPath: string;
  /** Mean log loss on held-out rows, nats, for early stopping; absent: every epoch runs. */
  readonly validate?: ((model: Model) => Promise<number>) | undefined;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type Fitted = {
  /** `forward` with the trained weights. */
  readonly model: Model;
  readonly history: readonly EpochRecord[];
};

const CHECKPOINT_EVERY_MS = 30_000;

/**
 * Trains until the recipe's epochs are over, or early stopping ends them.
 * @throws FlywheelError `training_interrupted` after `signal` has fired and the checkpoint is written; `onnx_diverged`
 */
export async function fit(options: FitOptions): Promise<Fitted> {
  await using trainer = await openTrainer(options);
  const run = await startRun(options, trainer);
  if (!run.isOver) await runSteps(options, trainer, run);
  return { model: withParameters(options.forward, run.best ?? trainer.parameters()), history: run.position.history };
}

function openTrainer({ forward, parameters, recipe, rows, threads, seed }: FitOptions): Promise<Trainer> {
  const { optimiser, weightDecay, labelSmoothing, clipNorm, batchNormalisation } = recipe;
  return createTrainer({
    forward,
    ...(parameters ? { parameters } : {}),
    loss: { kind: "softmax-cross-entropy", labelSmoothing },
    optimiser: optimiser === "sgd" ? { kind: "sgd", nesterov: true, weightDecay } : { kind: "adamw", weightDecay },
    clipNorm,
    batchNormalisation,
    batchSize: Math.min(recipe.batchSize, rows.length),
    threads,
    seed: fork(seed, "trainer"),
  });
}

type Weights = Map<string, TensorOf<"float32">>;

/** A run's state between steps. */
type Run = {
  position: Position;
  /** Weights of the best epoch so far, where early stopping watches. */
  best: Weights | undefined;
  isOver: boolean;
  savedAt: number;
};

async function startRun(options: FitOptions, trainer: Trainer): Promise<Run> {
  const { recipe, checkpointPath, clock } = options;
  const saved = await readCheckpoint(checkpointPath);
  if (saved) trainer.restore(stateOf(saved, "trainer"));
  const run: Run = {
    position: saved?.position ?? firstPosition,
    best: saved?.states["best"] && floatsOf(saved.states["best"]),
    isOver: false,
    savedAt: clock.now(),
  };
  run.isOver = isOver(run.position, recipe);
  return run;
}

function floatsOf({ tensors }: Safetensors): Weights {
  return new Map([...tensors].flatMap(([name, value]) => (value.dtype === "float32" ? [[name, value]] : [])));
}

function stateOf({ states }: Checkpoint, name: string) {
  const state = states[name];
  if (state) return state;
  throw new FlywheelError("checkpoint_corrupt", `the checkpoint has no state "${name}"`, {
    hint: "delete it to train from the start",
  });
}

async function runSteps(options: FitOptions, trainer: Trainer, run: Run): Promise<void> {
  const { rows, preprocessing, photosPath: path, recipe, threads, signal } = options;
  const stepsPerEpoch = Math.ceil(rows.length / trainer.batchSize);
  const plans = () => remainingPlans(options, trainer.batchSize, run.position);
  const taken = plans();
  const workers = Math.max(1, Math.floor(threads / 4));
  const batches = loadBatches(plans(), { path, preprocessing, augmentation: recipe.augmentation, workers });
  const report = reporter(options, stepsPerEpoch, run.position);
  for await (const images of batches) {
    if (signal?.aborted) return await interrupt(options, trainer, run);
    const plan = taken.next().value ?? [];
    const result = await takeStep(options, trainer, { plan, images, stepsPerEpoch });
    run.position = advanced(run.position, { result, plan, rows, stepsPerEpoch });
    report(run.position);
    if (run.position.step === 0) await endEpoch(options, trainer, run);
    if (run.position.step === 0 || options.clock.now() - run.savedAt >= CHECKPOINT_EVERY_MS) {
      await save(options, trainer, run);
    }
    if (run.isOver) return;
  }
}

function* remainingPlans(
  { rows, recipe, seed }: FitOptions,
  batchSize: number,
  from: Position,
): Generator<BatchPlan, undefined> {
  for (let epoch = from.epoch; epoch < recipe.epochs; epoch++) {
    const plans = planEpoch({ rows: rows.length, batchSize, epoch, seed });
    yield* epoch === from.epoch ? plans.slice(from.step) : plans;
  }
  return undefined;
}

type StepInput = { readonly plan: BatchPlan; readonly images: Float32Array; readonly stepsPerEpoch: number };

function takeStep(
  options: FitOptions,
  trainer: Trainer,
  { plan, images, stepsPerEpoch }: StepInput,
): Promise<StepResult> {
  const { rows, preprocessing, recipe } = options;
  const batch = plan.map(({ index }) => rows[index]!);
  const targets = new Float32Array(batch.length * trainer.classes);
  batch.forEach(({ target }, position) => {
    targets.set(target, position * trainer.classes);
  });
  const totalSteps = recipe.epochs * stepsPerEpoch;
  const schedule = { peak: recipe.learningRate, totalSteps, warmupSteps: Math.floor(recipe.warmUp * totalSteps) };
  const { size } = preprocessing;
  return trainer.step(
    {
      inputs: { images: floats(images, [batch.length, 3, size, size]) },
      targets,
      weights: Float32Array.from(batch, ({ weight }) => weight),
    },
    { learningRate: cosineLearningRate(trainer.steps, schedule) },
  );
}

type Advance = {
  readonly result: StepResult;
  readonly plan: BatchPlan;
  readonly rows: readonly TrainingRow[];
  readonly stepsPerEpoch: number;
};

function advanced(position: Position, { result, plan, rows, stepsPerEpoch }: Advance): Position {
  const running = {
    loss: position.running.loss + result.loss * plan.length,
    correct: position.running.correct + countCorrect(result.logits, plan, rows),
    rows: position.running.rows + plan.length,
  };
  if (position.step + 1 < stepsPerEpoch) return { ...position, step: position.step + 1, running };
  const record = { epoch: position.epoch, loss: running.loss / running.rows, accuracy: running.correct / running.rows };
  return {
    ...position,
    epoch: position.epoch + 1,
    step: 0,
    running: firstPosition.running,
    history: [...position.history, record],
  };
}

function countCorrect(logits: Float32Array, plan: BatchPlan, rows: readonly TrainingRow[]): number {
  const classes = logits.length / plan.length;
  return plan.filter(({ index }, position) => {
    const own = logits.subarray(position * classes, (position + 1) * classes);
    return own.indexOf(Math.max(...own)) === rows[index]!.classIndex;
  }).length;
}

/** Early stopping: keeps the weights of the best epoch, and ends the run when `patience` epochs have brought no better. */
async function endEpoch({ forward, recipe, validate }: FitOptions, trainer: Trainer, run: Run): Promise<void> {
  if (validate) {
    const weights = trainer.parameters();
    const loss = await validate(withParameters(forward, weights));
    const epoch = run.position.epoch - 1;
    if (run.position.best === undefined || loss < run.position.best.loss) {
      run.position = { ...run.position, best: { epoch, loss } };
      run.best = weights;
    }
  }
  run.isOver = isOver(run.position, recipe);
}

function isOver({ epoch, step, best }: Position, { epochs, patience }: Recipe): boolean {
  return epoch >= epochs || (best !== undefined && step === 0 && epoch - 1 - best.epoch >= patience);
}

async function interrupt(options: FitOptions, trainer: Trainer, run: Run): Promise<never> {
  await save(options, trainer, run);
  const { epoch, step } = run.position;
  throw new FlywheelError("training_interrupted", `training was stopped at epoch ${epoch + 1}, step ${step + 1}`, {
    hint: "run the same command again: it continues from there",
    retryable: true,
    cause: options.signal?.reason,
  });
}

async function save({ checkpointPath, clock }: FitOptions, trainer: Trainer, run: Run): Promise<void> {
  const states = {
    trainer: trainer.checkpoint(),
    ...(run.best ? { best: { tensors: run.best, metadata: {} } } : {}),
  };
  await writeCheckpoint(checkpointPath, { position: run.position, states });
  run.savedAt = clock.now();
}

/** Progress by steps, with loss and accuracy of the epoch so far and the time left at this run's own pace. */
function reporter(
  { recipe, progress, clock }: FitOptions,
  stepsPerEpoch: number,
  from: Position,
): (position: Position) => void {
  const startedAt = clock.now();
  const stepsOf = ({ epoch, step }: Position): number => epoch * stepsPerEpoch + step;
  const total = recipe.epochs * stepsPerEpoch;
  return (position) => {
    const done = stepsOf(position);
    const leftMs = ((clock.now() - startedAt) / (done - stepsOf(from))) * (total - done);
    const last = position.history.at(-1);
    const seen = position.running.rows || 1;
    const isFresh = position.running.rows > 0 || last === undefined;
    const loss = isFresh ? position.running.loss / seen : last.loss;
    const accuracy = isFresh ? position.running.correct / seen : last.accuracy;
    progress?.({
      stage: "train",
      done,
      total,
      details: {
        epoch: `${Math.min(position.epoch + 1, recipe.epochs)}/${recipe.epochs}`,
        loss: loss.toFixed(3),
        accuracy: `${(100 * accuracy).toFixed(1)} %`,
        left: `${Math.round(leftMs / 1000)} s`,
      },
    });
  };
}
