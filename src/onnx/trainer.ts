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
import type { Target } from "./lower/lowering.ts";
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
  inChunks,
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
  /** A parameter's share of the learning rate, at least 0, as in a parameter group of its own. Default: 1 for all. */
  readonly learningRateScale?: (parameter: { readonly name: string; readonly dims: readonly number[] }) => number;
  /** Largest L2 norm of the whole gradient. Default: unlimited. */
  readonly clipNorm?: number;
  /** Default `frozen`: running statistics stay as they are. */
  readonly batchNormalisation?: BatchNormalisation;
  /**
   * Sizes of the inputs' symbolic dimensions, the batch excepted: `{ H: 224, W: 224 }`. Several: one graph for each, all
   * over the same parameters; a batch runs in the first whose inputs have its size.
   */
  readonly sizes?: Bindings | readonly Bindings[];
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
  const { sizes = {} } = options;
  const target = await detectTarget();
  await using opened = new AsyncDisposableStack();
  const steps: Step[] = [];
  for (const each of isSeveral(sizes) ? sizes : [sizes]) {
    const step = await openStep(options, each, target);
    opened.use(step.session);
    steps.push(step);
  }
  const [{ prepared }] = steps as [Step]; // `checkTrainerOptions`: at least one
  return trainerOver({ ...options, prepared, ...layoutsOf(trainedNames(options), prepared), steps }, opened.move());
}

const isSeveral = (sizes: Bindings | readonly Bindings[]): sizes is readonly Bindings[] => Array.isArray(sizes);

/** The step for inputs of one size. */
type Step = { readonly prepared: Prepared; readonly session: Session };

async function openStep(options: TrainerOptions, sizes: Bindings, target: Target): Promise<Step> {
  const { forward, batchSize, batchNormalisation = "frozen", optimiser, loss, clipNorm, threads, spin } = options;
  const parameters = trainedNames(options);
  const prepared = await prepareForTraining(forward, { parameters, batchSize, sizes, batchNormalisation });
  const hasRates = options.learningRateScale !== undefined;
  const layouts = layoutsOf(parameters, prepared);
  const model = buildStepGraph({ prepared, ...layouts, loss, optimiser, clipNorm, hasRates, target });
  const config = { "session.force_spinning_stop": "1" }; // between steps nobody spins
  const session = await openSession(model, { threads, spin: spin ?? false, config });
  return { prepared, session };
}

const knownOptions: Readonly<Record<keyof TrainerOptions, true>> = {
  forward: true,
  parameters: true,
  loss: true,
  optimiser: true,
  isDecayed: true,
  learningRateScale: true,
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
  if (Array.isArray(options.sizes) && options.sizes.length === 0) {
    throw new FlywheelError("onnx_bad_option", "sizes is an empty list", {
      hint: "leave it out where nothing is open",
    });
  }
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
  StateShape & { readonly prepared: Prepared; readonly steps: readonly Step[] };

function trainerOver(context: Context, sessions: AsyncDisposableStack): Trainer {
  const { batchSize, optimiser, seed = 0 } = context;
  const [, classes] = logitsShape(context.prepared);
  const constantFeeds = vectorFeeds(context);
  let current = initialState(context, context.prepared);
  let spare = blankState(context);
  let steps = 0;
  let isBusy = false;

  const run = async (batch: Batch, learningRate: number): Promise<StepResult> => {
    const rows = checkBatch(batch, { batchSize, classes });
    const { prepared, session } = stepFor(batch, context.steps);
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
    [Symbol.asyncDispose]: () => sessions.disposeAsync(),
  };
}

/** @throws FlywheelError `onnx_bad_batch` */
function stepFor({ inputs }: Batch, steps: readonly Step[]): Step {
  const sizeOf = (dims: readonly number[]): string => dims.slice(1).join("×");
  const found = steps.find(({ prepared: { types } }) =>
    Object.entries(inputs).every(([name, { dims }]) => sizeOf(types.get(name)?.dims ?? dims) === sizeOf(dims)),
  );
  if (found) return found;
  const given = Object.entries(inputs).map(([name, { dims }]) => `${name} [${dims.join(", ")}]`);
  throw new FlywheelError(
    "onnx_bad_batch",
    `the trainer was built for inputs of other sizes than ${given.join(", ")}`,
    {
      hint: "name every size that batches may have in `sizes`",
    },
  );
}

/** What stays the same from step to step. */
function vectorFeeds(context: Context): Feeds {
  const { isDecayed = ({ dims }) => dims.length > 1, learningRateScale, optimiser } = context;
  const mask = (parameter: Parameter): number => (isDecayed(parameter) ? 1 : 0);
  if (!learningRateScale) return inChunks(context.parameters, ports.decayMask, perParameter(context, mask));
  // Decoupled decay is a share of the learning rate, so it grows with it; SGD's is part of the gradient.
  const scaled = optimiser.kind === "sgd" ? mask : (one: Parameter) => mask(one) * learningRateScale(one);
  return {
    ...inChunks(context.parameters, ports.decayMask, perParameter(context, scaled)),
    ...inChunks(context.parameters, ports.rates, perParameter(context, learningRateScale)),
  };
}

type Parameter = { readonly name: string; readonly dims: readonly number[] };

function perParameter({ parameters }: Context, scaleOf: (parameter: Parameter) => number): Float32Array {
  const vector = new Float32Array(parameters.length);
  for (const { name, dims, offset } of parameters.slots) {
    vector.fill(scaleOf({ name, dims }), offset, offset + elementCount(dims));
  }
  return vector;
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
