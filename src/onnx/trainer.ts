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
import { createRng, fork, type Seed } from "../math/random.ts";
import type { Bindings } from "./infer-types.ts";
import { detectTarget } from "./lower/target.ts";
import type { Model } from "./model.ts";
import { parameterNames, parameterOf, withParameters } from "./parameters.ts";
import type { NumericTensor, Safetensors } from "./safetensors.ts";
import { type Feeds, openSession, type Session } from "./session.ts";
import { elementCount, floats, type Tensor, type TensorOf } from "./tensor.ts";
import { flatten, type Layout, layoutOf, views } from "./training/layout.ts";
import { checkLoss, type Loss } from "./training/loss.ts";
import { checkOptimiser, momentCount, type Optimiser, stepScalars } from "./training/optimiser.ts";
import { type BatchNormalisation, type Prepared, prepareForTraining } from "./training/prepare.ts";
import { buildStepGraph, logitsShape, ports } from "./training/step-graph.ts";

export type { BatchNormalisation, Loss, Optimiser };

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

export type Batch = {
  /** By input name; `[n, ...]` with 1 ≤ n ≤ batch size. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** `[n, K]`, row-major, each row a distribution over the classes (soft or one-hot). */
  readonly targets: Float32Array;
  /** `[n]`, ≥ 0, not all 0: the loss is the weighted mean over rows. Default all 1. */
  readonly weights?: Float32Array;
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
   * @throws FlywheelError `onnx_bad_batch` when shapes or weights do not fit; `onnx_diverged` when the loss is not
   * finite, in which case the parameters are left as they were before the step.
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

function checkTrainerOptions({ batchSize, clipNorm, loss, optimiser }: TrainerOptions): void {
  checkLoss(loss);
  checkOptimiser(optimiser);
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new FlywheelError("onnx_bad_option", `batchSize must be a whole number of at least 1, got ${batchSize}`);
  }
  if (clipNorm !== undefined && !(clipNorm > 0)) {
    throw new FlywheelError("onnx_bad_option", `clipNorm must be above 0, got ${clipNorm}`);
  }
}

type Layouts = { readonly parameters: Layout; readonly statistics: Layout };

function trainedNames({ forward, parameters = parameterNames(forward) }: TrainerOptions): readonly string[] {
  for (const name of parameters) parameterOf(forward, name);
  if (parameters.length > 0 && new Set(parameters).size === parameters.length) return parameters;
  throw new FlywheelError(
    "onnx_bad_option",
    `parameters to train: [${parameters.join(", ")}] is empty or repeats a name`,
    {
      hint: "name float32 initialisers of the model in `parameters`, each once",
    },
  );
}

function layoutsOf(parameters: readonly string[], { model, statistics }: Prepared): Layouts {
  const slot = (name: string) => ({ name, dims: parameterOf(model, name).dims });
  return {
    parameters: layoutOf(parameters.map(slot)),
    statistics: layoutOf(statistics.map((each) => slot(each.name))),
  };
}

type Context = Omit<TrainerOptions, "parameters"> &
  Layouts & { readonly prepared: Prepared; readonly session: Session };

/** What one step reads and the next one writes: flat arrays. */
type State = {
  readonly parameters: Float32Array;
  readonly moments: readonly Float32Array[];
  readonly statistics: Float32Array;
};

function trainerOver(context: Context): Trainer {
  const { prepared, session, batchSize, optimiser } = context;
  const [, classes] = logitsShape(prepared);
  const decayMask = decayMaskOf(context);
  let current = initialState(context);
  let spare = blankState(context);
  let steps = 0;

  const valuesOf = ({ parameters, statistics }: State): Map<string, TensorOf<"float32">> =>
    new Map(
      Object.entries({
        ...views(context.parameters, parameters.slice()),
        ...views(context.statistics, statistics.slice()),
      }),
    );

  return {
    batchSize,
    classes,
    get steps() {
      return steps;
    },
    parameterNames: context.parameters.slots.map((slot) => slot.name),
    async step(batch, { learningRate }) {
      const rows = checkBatch(batch, batchSize, classes);
      const feeds = {
        ...stateFeeds(context, current),
        ...batchFeeds(batch, { rows, batchSize, classes }),
        ...scalarFeeds(stepScalars(optimiser, steps + 1, learningRate)),
        ...dropoutFeeds(context, steps),
        [ports.decayMask]: floats(decayMask),
      };
      const results = await session.run(feeds, { into: stateFetches(context, spare) });
      const result = resultOf(results, rows * classes);
      checkFinite(result, steps, learningRate);
      [current, spare] = [spare, current];
      steps++;
      return result;
    },
    parameters: () => valuesOf(current),
    exportForward: () => withParameters(context.forward, valuesOf(current)),
    checkpoint: () => checkpointOf(context, current, steps),
    restore(checkpoint) {
      const restored = stateFrom(context, checkpoint);
      [current, steps] = [restored.state, restored.steps];
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

// ── feeds and fetches ───────────────────────────────────────────────────────────────────────────────────────────────

function stateFeeds({ parameters, statistics }: Context, state: State): Feeds {
  return {
    ...views(parameters, state.parameters),
    ...views(statistics, state.statistics),
    [ports.parameters]: floats(state.parameters),
    ...Object.fromEntries(state.moments.map((moment, index) => [ports.moment(index), floats(moment)])),
  };
}

function stateFetches({ statistics }: Context, state: State): Feeds {
  return {
    [ports.newParameters]: floats(state.parameters),
    ...Object.fromEntries(state.moments.map((moment, index) => [ports.newMoment(index), floats(moment)])),
    ...(statistics.length > 0 ? { [ports.newStatistics]: floats(state.statistics) } : {}),
  };
}

type BatchShape = { readonly rows: number; readonly batchSize: number; readonly classes: number };

/** A smaller batch is filled up with its own rows at weight 0: they change nothing but batch statistics, and those little. */
function batchFeeds(batch: Batch, { rows, batchSize, classes }: BatchShape): Feeds {
  const inputs = Object.entries(batch.inputs).map(([name, value]) => [name, filledUp(value, batchSize)] as const);
  const shares = new Float32Array(batchSize);
  shares.set(batch.weights ?? new Float32Array(rows).fill(1));
  const sum = shares.reduce((total, weight) => total + weight, 0);
  const targets = filledUp(floats(batch.targets, [rows, classes]), batchSize);
  return {
    ...Object.fromEntries(inputs),
    [ports.targets]: targets,
    [ports.shares]: floats(
      shares.map((weight) => weight / sum),
      [batchSize, 1],
    ),
  };
}

function filledUp(value: Tensor, batchSize: number): Tensor {
  const [rows = 0, ...rest] = value.dims;
  if (rows === batchSize || value.dtype === "string") return value;
  const width = elementCount(rest);
  const data = new (value.data.constructor as Float32ArrayConstructor)(batchSize * width); // any of the numeric arrays
  for (let row = 0; row < batchSize; row++) {
    const from = (row % rows) * width;
    data.set((value.data as Float32Array).subarray(from, from + width), row * width);
  }
  return { ...value, dims: [batchSize, ...rest], data } as Tensor; // same array type, more rows
}

function scalarFeeds(scalars: Readonly<Record<string, number>>): Feeds {
  return Object.fromEntries(Object.entries(scalars).map(([name, value]) => [ports.scalar(name), floats([value], [])]));
}

/** Masks depend on seed, step and layer alone, so a restored trainer draws the same ones. */
function dropoutFeeds({ prepared, seed = 0 }: Context, step: number): Feeds {
  return Object.fromEntries(
    prepared.dropouts.map(({ name, dims, rate }) => {
      const rng = createRng(fork(seed, "dropout", name, step));
      const mask = Float32Array.from({ length: elementCount(dims) }, () => (rng.next() < rate ? 0 : 1 / (1 - rate)));
      return [name, floats(mask, dims)];
    }),
  );
}

function resultOf(results: Record<string, Tensor>, count: number): StepResult {
  const numbers = (name: string): Float32Array => results[name]!.data as Float32Array; // the graph's outputs are float32
  return {
    loss: numbers(ports.loss)[0]!,
    logits: numbers(ports.logits).slice(0, count),
    gradientNorm: numbers(ports.gradientNorm)[0]!,
  };
}

// ── checks ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** @returns the number of rows */
function checkBatch({ inputs, targets, weights }: Batch, batchSize: number, classes: number): number {
  const rows = targets.length / classes;
  const sizes = Object.values(inputs).map((each) => each.dims[0]);
  if (!Number.isInteger(rows) || rows < 1 || rows > batchSize || sizes.some((size) => size !== rows)) {
    throw badBatch(`${targets.length} targets of ${classes} classes for inputs of ${sizes.join(", ")} rows`, batchSize);
  }
  const isWeighted = weights === undefined || (weights.length === rows && weights.some((each) => each > 0));
  if (!isWeighted || weights?.some((each) => !(each >= 0 && Number.isFinite(each)))) {
    throw badBatch(`weights must be ${rows} finite numbers ≥ 0, not all 0`, batchSize);
  }
  return rows;
}

function badBatch(message: string, batchSize: number): FlywheelError {
  return new FlywheelError("onnx_bad_batch", message, {
    hint: `give between 1 and ${batchSize} rows, each with a target`,
  });
}

function checkFinite({ loss, gradientNorm }: StepResult, step: number, learningRate: number): void {
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
  throw new FlywheelError("onnx_diverged", `loss ${loss}, gradient norm ${gradientNorm} at step ${step + 1}`, {
    hint: `lower the learning rate (${learningRate}), warm up longer or set clipNorm; check the inputs for NaN`,
  });
}

// ── state ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function initialState(context: Context): State {
  const { model } = context.prepared;
  const values = (layout: Layout) =>
    flatten(layout, new Map(layout.slots.map(({ name }) => [name, parameterOf(model, name)])));
  return { ...blankState(context), parameters: values(context.parameters), statistics: values(context.statistics) };
}

function blankState({ parameters, statistics, optimiser }: Context): State {
  return {
    parameters: new Float32Array(parameters.length),
    moments: Array.from({ length: momentCount(optimiser) }, () => new Float32Array(parameters.length)),
    statistics: new Float32Array(statistics.length),
  };
}

function decayMaskOf({ parameters, isDecayed = ({ dims }) => dims.length > 1 }: Context): Float32Array {
  const mask = new Float32Array(parameters.length);
  for (const { name, dims, offset } of parameters.slots) {
    if (isDecayed({ name, dims })) mask.fill(1, offset, offset + elementCount(dims));
  }
  return mask;
}

/** Says which tensors a checkpoint's flat vectors hold. */
const signature = ({ parameters, statistics, optimiser }: Context): string =>
  JSON.stringify([optimiser.kind, ...[parameters, statistics].map(({ slots }) => slots.map((s) => [s.name, s.dims]))]);

function checkpointOf(context: Context, state: State, steps: number): Safetensors {
  const vectors: [string, NumericTensor][] = [
    ["parameters", floats(state.parameters.slice())],
    ["statistics", floats(state.statistics.slice())],
    ...state.moments.map((moment, index): [string, NumericTensor] => [`moment.${index}`, floats(moment.slice())]),
  ];
  return { tensors: new Map(vectors), metadata: { steps: String(steps), layout: signature(context) } };
}

function stateFrom(context: Context, { tensors, metadata }: Safetensors): { state: State; steps: number } {
  const steps = Number(metadata["steps"]);
  if (metadata["layout"] !== signature(context) || !Number.isInteger(steps)) throw mismatch("model or optimiser");
  const vector = (name: string, length: number): Float32Array => {
    const found = tensors.get(name);
    if (found?.dtype !== "float32" || found.data.length !== length) throw mismatch(`size of "${name}"`);
    return found.data.slice();
  };
  const { parameters, statistics, optimiser } = context;
  const moments = Array.from({ length: momentCount(optimiser) }, (_, index) => {
    return vector(`moment.${index}`, parameters.length);
  });
  const flat = { parameters: vector("parameters", parameters.length), moments };
  return { state: { ...flat, statistics: vector("statistics", statistics.length) }, steps };
}

function mismatch(what: string): FlywheelError {
  return new FlywheelError("onnx_checkpoint_mismatch", `the checkpoint was written with another ${what}`, {
    hint: "start afresh, or restore with the options that wrote it",
  });
}
