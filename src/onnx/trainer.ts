/**
 * @file Training a network in Node.
 *
 * ```ts
 * await using trainer = await createTrainer({
 *   forward,                                      // images → logits [N, K]
 *   loss: { kind: "softmax-cross-entropy", labelSmoothing: 0.1 },
 *   optimiser: { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
 *   batchSize: 32, threads: 2, seed: 1,
 * });
 * for (let step = 0; step < totalSteps; step++) {
 *   const learningRate = cosineLearningRate(step, { peak: 0.05, totalSteps, warmupSteps: 20 });
 *   const { loss } = await trainer.step(batch, { learningRate });
 * }
 * const served = trainer.exportForward();         // what was trained is what is served
 * ```
 *
 * A step is one ONNX graph (`training/step-graph.ts`). Parameters, optimiser state and statistics live in flat arrays
 * that ONNX Runtime reads and writes in place; two sets take turns, so nothing is copied. A step holds the calling thread
 * while it runs: train in a process or worker of its own where others wait.
 */

import { FlywheelError } from "../errors.ts";
import type { Seed } from "../math/random.ts";
import type { Bindings } from "./infer-types.ts";
import { detectTarget } from "./lower/target.ts";
import type { Model } from "./model.ts";
import { parameterNames, parameterOf, withParameters } from "./parameters.ts";
import type { Safetensors } from "./safetensors.ts";
import { type Feeds, openSession, type Session } from "./session.ts";
import { elementCount, floats, type Tensor, type TensorOf } from "./tensor.ts";
import { type Batch, batchFeeds, checkBatch, dropoutFeeds } from "./training/batch.ts";
import { layoutOf } from "./training/layout.ts";
import { checkLoss, type Loss } from "./training/loss.ts";
import { checkOptimiser, type Optimiser, type StepScalars, stepScalars } from "./training/optimiser.ts";
import { type BatchNormalisation, type Prepared, prepareForTraining } from "./training/prepare.ts";
import {
  blankState,
  checkpointOf,
  initialState,
  type StateShape,
  stateFeeds,
  stateFetches,
  stateFrom,
  valuesOf,
} from "./training/state.ts";
import { buildStepGraph, logitsShape, ports } from "./training/step-graph.ts";

export type { Batch, BatchNormalisation, Loss, Optimiser };

export type TrainerOptions = {
  /** Inputs with the batch as their first dimension, one output: logits `[N, K]`. */
  readonly forward: Model;
  /** Names of the initialisers to train. Default: all parameters (`parameterNames`). */
  readonly parameters?: readonly string[];
  readonly loss: Loss;
  readonly optimiser: Optimiser;
  /** Whether weight decay applies to a parameter. Default: to matrices and kernels, not to biases and norm parameters. */
  readonly isDecayed?: (parameter: { readonly name: string; readonly dims: readonly number[] }) => boolean;
  /** Largest L2 norm of the whole gradient. Default: unlimited. */
  readonly clipNorm?: number;
  /** Default `frozen`: running statistics stay as they are. */
  readonly batchNormalisation?: BatchNormalisation;
  /** Sizes of the inputs' symbolic dimensions, the batch excepted: `{ H: 224, W: 224 }`. */
  readonly sizes?: Bindings;
  /** Most rows in one step; the graph is built for exactly this many. */
  readonly batchSize: number;
  readonly threads: number;
  /**
   * Whether threads spin between the thousand short operators of a step: a little faster where nothing else runs, much
   * slower where data loading or serving shares the cores. Default false.
   */
  readonly spin?: boolean;
  /** Of dropout. The same seed, data and thread count give the same weights, bit for bit. Default 0. */
  readonly seed?: Seed;
};

export type StepResult = {
  /** Nats, weighted mean over the batch, before the update; lower is better. */
  readonly loss: number;
  /** `[n, K]`, before the update. */
  readonly logits: Float32Array;
  /** L2 norm of the whole gradient, before clipping. */
  readonly gradientNorm: number;
};

export interface Trainer extends AsyncDisposable {
  readonly batchSize: number;
  readonly classes: number;
  /** Steps taken so far. */
  readonly steps: number;
  /** Names of the trained initialisers. */
  readonly parameterNames: readonly string[];
  /**
   * One update.
   * @throws FlywheelError `onnx_bad_batch` when shapes or weights do not fit; `onnx_trainer_busy` when the step before has
   * not been awaited; `onnx_diverged` when the loss is not finite, in which case the parameters are left as they were.
   */
  step(batch: Batch, options: { readonly learningRate: number }): Promise<StepResult>;
  /** The current values of the trained parameters and running statistics: copies. */
  parameters(): Map<string, TensorOf<"float32">>;
  /** The forward model with the current parameters as constants: for inference and serving. */
  exportForward(): Model;
  /** Everything that continuing needs, as copies; `writeSafetensors(trainer.checkpoint())` is a file of it. */
  checkpoint(): Safetensors;
  /** Continues from a checkpoint, bit for bit. @throws FlywheelError `onnx_checkpoint_mismatch` */
  restore(checkpoint: Safetensors): void;
}

/**
 * Builds the step graph and opens it.
 * @throws FlywheelError `onnx_no_gradient_rule`, `onnx_unknown_shape`, `onnx_unexpected_interface`,
 * `onnx_parameter_unused`, `onnx_bad_option`
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  checkTrainerOptions(options);
  const { forward, batchSize, sizes = {}, batchNormalisation = "frozen", optimiser, loss, clipNorm, threads } = options;
  const parameters = trainedNames(options);
  const prepared = await prepareForTraining(forward, { parameters, batchSize, sizes, batchNormalisation });
  const layouts = layoutsOf(parameters, prepared);
  const target = await detectTarget();
  const model = buildStepGraph({ prepared, ...layouts, loss, optimiser, clipNorm, target });
  const config = { "session.force_spinning_stop": "1" }; // between steps nobody spins
  const session = await openSession(model, { threads, spin: options.spin ?? false, config });
  return trainerOver({ ...options, prepared, ...layouts, session });
}

const knownOptions: Readonly<Record<keyof TrainerOptions, true>> = {
  forward: true,
  parameters: true,
  loss: true,
  optimiser: true,
  isDecayed: true,
  clipNorm: true,
  batchNormalisation: true,
  sizes: true,
  batchSize: true,
  threads: true,
  spin: true,
  seed: true,
};

function checkTrainerOptions(options: TrainerOptions): void {
  const { batchSize, clipNorm, loss, optimiser } = options;
  const unknown = Object.keys(options).filter((name) => !(name in knownOptions));
  if (unknown.length > 0) {
    throw new FlywheelError("onnx_bad_option", `createTrainer: unknown option ${unknown.join(", ")}`, {
      hint: `known: ${Object.keys(knownOptions).join(", ")}`,
    });
  }
  checkLoss(loss);
  checkOptimiser(optimiser);
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new FlywheelError("onnx_bad_option", `batchSize must be a whole number of at least 1, got ${batchSize}`);
  }
  if (clipNorm !== undefined && !(clipNorm > 0)) {
    throw new FlywheelError("onnx_bad_option", `clipNorm must be above 0, got ${clipNorm}`);
  }
}

function trainedNames({ forward, parameters = parameterNames(forward) }: TrainerOptions): readonly string[] {
  for (const name of parameters) parameterOf(forward, name);
  if (parameters.length > 0 && new Set(parameters).size === parameters.length) return parameters;
  const given = `parameters to train: [${parameters.join(", ")}]`;
  throw new FlywheelError("onnx_bad_option", `${given} is empty or repeats a name`, {
    hint: "name float32 initialisers of the model in `parameters`, each once",
  });
}

function layoutsOf(parameters: readonly string[], { model, statistics }: Prepared) {
  const slot = (name: string) => ({ name, dims: parameterOf(model, name).dims });
  return {
    parameters: layoutOf(parameters.map(slot)),
    statistics: layoutOf(statistics.map((each) => slot(each.name))),
  };
}

type Context = Omit<TrainerOptions, "parameters"> &
  StateShape & { readonly prepared: Prepared; readonly session: Session };

function trainerOver(context: Context): Trainer {
  const { prepared, session, batchSize, optimiser, seed = 0 } = context;
  const [, classes] = logitsShape(prepared);
  const constantFeeds = { [ports.decayMask]: floats(decayMaskOf(context)) };
  let current = initialState(context, prepared);
  let spare = blankState(context);
  let steps = 0;
  let isBusy = false;

  const run = async (batch: Batch, learningRate: number): Promise<StepResult> => {
    const rows = checkBatch(batch, { batchSize, classes });
    const feeds = {
      ...constantFeeds,
      ...stateFeeds(context, current),
      ...batchFeeds(batch, { batchSize, classes }),
      ...scalarFeeds(stepScalars(optimiser, steps + 1, learningRate)),
      ...dropoutFeeds(prepared.dropouts, seed, steps),
    };
    const result = resultOf(await session.run(feeds, { into: stateFetches(context, spare) }), rows * classes);
    checkFinite(result, steps, learningRate);
    [current, spare] = [spare, current];
    steps++;
    return result;
  };

  return {
    batchSize,
    classes,
    get steps() {
      return steps;
    },
    parameterNames: context.parameters.slots.map((slot) => slot.name),
    async step(batch, { learningRate }) {
      if (isBusy) throw new FlywheelError("onnx_trainer_busy", "a step is still running", { hint: "await each step" });
      isBusy = true;
      try {
        return await run(batch, learningRate);
      } finally {
        isBusy = false;
      }
    },
    parameters: () => valuesOf(context, current),
    exportForward: () => withParameters(context.forward, valuesOf(context, current)),
    checkpoint: () => checkpointOf(context, current, steps),
    restore(checkpoint) {
      const restored = stateFrom(context, checkpoint);
      [current, steps] = [restored.state, restored.steps];
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

function decayMaskOf({ parameters, isDecayed = ({ dims }) => dims.length > 1 }: Context): Float32Array {
  const mask = new Float32Array(parameters.length);
  for (const { name, dims, offset } of parameters.slots) {
    if (isDecayed({ name, dims })) mask.fill(1, offset, offset + elementCount(dims));
  }
  return mask;
}

function scalarFeeds(scalars: StepScalars): Feeds {
  return Object.fromEntries(Object.entries(scalars).map(([name, value]) => [ports.scalar(name), floats([value], [])]));
}

function resultOf(results: Record<string, Tensor>, count: number): StepResult {
  const numbers = (name: string): Float32Array => results[name]!.data as Float32Array; // the graph's outputs are float32
  return {
    loss: numbers(ports.loss)[0]!,
    logits: numbers(ports.logits).slice(0, count),
    gradientNorm: numbers(ports.gradientNorm)[0]!,
  };
}

function checkFinite({ loss, gradientNorm }: StepResult, step: number, learningRate: number): void {
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
  throw new FlywheelError("onnx_diverged", `loss ${loss}, gradient norm ${gradientNorm} at step ${step + 1}`, {
    hint: `lower the learning rate (${learningRate}), warm up longer or set clipNorm; check the inputs for NaN`,
  });
}
