/**
 * @file Training on photos: batches from other threads. Their order and augmentation follow from seed, epoch and row alone.
 */

import type { Clock, Progress } from "../../contracts.ts";
import { fork, type Seed } from "../../math/random.ts";
import type { Model } from "../../onnx/model.ts";
import { floats } from "../../onnx/tensor.ts";
import { createTrainer, type Trainer } from "../../onnx/trainer.ts";
import type { ImagePreprocessing } from "../../records.ts";
import type { Position } from "../network/checkpoint.ts";
import { type Fitted, fitNetwork, type RowBatch } from "../network/fit-network.ts";
import type { TrainingRow } from "../training-rows.ts";
import { type BatchPlan, loadBatches } from "./batch-loader.ts";
import { inputName } from "./image-input.ts";
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

/** @throws FlywheelError as `fitNetwork` */
export async function fit(options: FitOptions): Promise<Fitted> {
  await using trainer = await openTrainer(options);
  return await fitNetwork({
    ...options,
    trainer,
    stepsPerEpoch: Math.ceil(options.rows.length / trainer.batchSize),
    batchesFrom: (position) => batchesFrom(options, trainer.batchSize, position),
  });
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

async function* batchesFrom(options: FitOptions, batchSize: number, from: Position): AsyncGenerator<RowBatch> {
  const { preprocessing, photosPath: path, recipe, threads } = options;
  const plans = () => remainingPlans(options, batchSize, from);
  const taken = plans();
  const workers = Math.max(1, Math.floor(threads / 4));
  const loaded = loadBatches(plans(), { path, preprocessing, augmentation: recipe.augmentation, workers });
  for await (const images of loaded) {
    const indices = (taken.next().value ?? []).map(({ index }) => index);
    const dims = [indices.length, 3, preprocessing.size, preprocessing.size];
    yield { indices, inputs: { [inputName]: floats(images, dims) } };
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
