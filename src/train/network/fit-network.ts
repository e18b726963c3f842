/**
 * @file The training loop of every network, whatever it reads: one graph per step, a checkpoint every half minute, at the end and
 * whenever it is stopped, the weights of the best epoch in the end. Where batches follow from the position alone, a run
 * continued from a checkpoint ends bit for bit as one that was never stopped (with the same number of threads).
 */

import type { Clock, Progress } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import type { Model } from "../../onnx/model.ts";
import { withParameters } from "../../onnx/parameters.ts";
import type { Safetensors } from "../../onnx/safetensors.ts";
import { cosineLearningRate } from "../../onnx/schedule.ts";
import type { TensorOf } from "../../onnx/tensor.ts";
import type { Batch, StepResult, Trainer } from "../../onnx/trainer.ts";
import type { TrainingRow } from "../training-rows.ts";
import {
  type Checkpoint,
  type EpochRecord,
  firstPosition,
  type Position,
  readCheckpoint,
  writeCheckpoint,
} from "./checkpoint.ts";

/** One step's rows, and what the network reads of them. */
export type RowBatch = { readonly indices: readonly number[]; readonly inputs: Batch["inputs"] };

/** The part of a recipe that is about time. */
export type Schedule = {
  readonly epochs: number;
  /** At the end of the warm-up. */
  readonly learningRate: number;
  /** Share of all steps, in [0, 1). */
  readonly warmUp: number;
  /** Epochs without a lower held-out loss after which training stops. */
  readonly patience: number;
};

export type NetworkFit = {
  readonly forward: Model;
  /** Over `forward`. */
  readonly trainer: Trainer;
  readonly rows: readonly TrainingRow[];
  readonly recipe: Schedule;
  readonly stepsPerEpoch: number;
  /** All that are still to come at a position. A batch may be read until the next is asked for. */
  readonly batchesFrom: (position: Position) => AsyncIterable<RowBatch> | Iterable<RowBatch>;
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
export async function fitNetwork(options: NetworkFit): Promise<Fitted> {
  const { forward, trainer } = options;
  const run = await startRun(options);
  if (!run.isOver) await runSteps(options, run);
  return { model: withParameters(forward, run.best ?? trainer.parameters()), history: run.position.history };
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

async function startRun({ trainer, recipe, checkpointPath, clock }: NetworkFit): Promise<Run> {
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

async function runSteps(options: NetworkFit, run: Run): Promise<void> {
  const { rows, stepsPerEpoch, signal, clock } = options;
  const report = reporter(options, run.position);
  for await (const batch of options.batchesFrom(run.position)) {
    if (signal?.aborted) return await interrupt(options, run);
    const result = await takeStep(options, batch);
    run.position = advanced(run.position, { result, indices: batch.indices, rows, stepsPerEpoch });
    report(run.position);
    if (run.position.step === 0) await endEpoch(options, run);
    if (run.isOver || clock.now() - run.savedAt >= CHECKPOINT_EVERY_MS) await save(options, run);
    if (run.isOver) return;
  }
}

function takeStep({ trainer, rows, recipe, stepsPerEpoch }: NetworkFit, batch: RowBatch): Promise<StepResult> {
  const chosen = batch.indices.map((index) => rows[index]!);
  const targets = new Float32Array(chosen.length * trainer.classes);
  chosen.forEach(({ target }, position) => {
    targets.set(target, position * trainer.classes);
  });
  const totalSteps = recipe.epochs * stepsPerEpoch;
  const schedule = { peak: recipe.learningRate, totalSteps, warmupSteps: Math.floor(recipe.warmUp * totalSteps) };
  return trainer.step(
    { inputs: batch.inputs, targets, weights: Float32Array.from(chosen, ({ weight }) => weight) },
    { learningRate: cosineLearningRate(trainer.steps, schedule) },
  );
}

type Advance = Pick<NetworkFit, "rows" | "stepsPerEpoch"> & Pick<RowBatch, "indices"> & { readonly result: StepResult };

function advanced(position: Position, { result, indices, rows, stepsPerEpoch }: Advance): Position {
  const running = {
    loss: position.running.loss + result.loss * indices.length,
    correct: position.running.correct + countCorrect(result.logits, indices, rows),
    rows: position.running.rows + indices.length,
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

function countCorrect(logits: Float32Array, indices: readonly number[], rows: readonly TrainingRow[]): number {
  const classes = logits.length / indices.length;
  return indices.filter((index, position) => {
    const own = logits.subarray(position * classes, (position + 1) * classes);
    return own.indexOf(Math.max(...own)) === rows[index]!.classIndex;
  }).length;
}

/** Early stopping: keeps the weights of the best epoch, and ends the run when `patience` epochs have brought no better. */
async function endEpoch({ forward, trainer, recipe, validate, signal }: NetworkFit, run: Run): Promise<void> {
  if (validate) {
    const weights = trainer.parameters();
    const loss = await unlessStopped(validate(withParameters(forward, weights)), run, signal);
    const epoch = run.position.epoch - 1;
    if (run.position.best === undefined || loss < run.position.best.loss) {
      run.position = { ...run.position, best: { epoch, loss } };
      run.best = weights;
    }
  }
  run.isOver = isOver(run.position, recipe);
}

/** An epoch half measured is not saved: training goes on from the checkpoint before, to the same end. */
async function unlessStopped(loss: Promise<number>, run: Run, signal: AbortSignal | undefined): Promise<number> {
  try {
    return await loss;
  } catch (thrown) {
    throw signal?.aborted ? interrupted(run.position, signal.reason) : thrown;
  }
}

function isOver({ epoch, step, best }: Position, { epochs, patience }: Schedule): boolean {
  return epoch >= epochs || (best !== undefined && step === 0 && epoch - 1 - best.epoch >= patience);
}

async function interrupt(options: NetworkFit, run: Run): Promise<never> {
  await save(options, run);
  throw interrupted(run.position, options.signal?.reason);
}

function interrupted({ epoch, step }: Position, cause: unknown): FlywheelError {
  return new FlywheelError("training_interrupted", `training was stopped at epoch ${epoch + 1}, step ${step + 1}`, {
    hint: "run the same command again: it continues from there",
    retryable: true,
    cause,
  });
}

async function save({ trainer, checkpointPath, clock }: NetworkFit, run: Run): Promise<void> {
  const states = {
    trainer: trainer.checkpoint(),
    ...(run.best ? { best: { tensors: run.best, metadata: {} } } : {}),
  };
  await writeCheckpoint(checkpointPath, { position: run.position, states });
  run.savedAt = clock.now();
}

/** Progress by steps, with loss and accuracy of the epoch so far and the time left at this run's own pace. */
function reporter(
  { recipe, progress, clock, stepsPerEpoch }: NetworkFit,
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
