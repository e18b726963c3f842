/** @file Fine-tuning on texts. The order of the batches follows from seed and epoch alone. */

import type { Clock, Progress } from "../../../contracts.ts";
import { fork, type Seed } from "../../../math/random.ts";
import type { Model } from "../../../onnx/model.ts";
import { createTrainer, type Trainer } from "../../../onnx/trainer.ts";
import type { Position } from "../../network/checkpoint.ts";
import { type Fitted, fitNetwork, type RowBatch } from "../../network/fit-network.ts";
import type { TrainingRow } from "../../training-rows.ts";
import { isHead, trainableParameters } from "./classifier-network.ts";
import { paddedLengths, planEpoch } from "./plan-batches.ts";
import { type EncoderRecipe, rowsOfStep } from "./recipe.ts";
import { tokenFeeds } from "./token-feeds.ts";
import type { TokenIds } from "./token-network.ts";

export type FitEncoderOptions = {
  /** Token ids → `logits` `[N, classes]`. */
  readonly forward: Model;
  readonly rows: readonly TrainingRow[];
  /** Of each row. */
  readonly ids: readonly TokenIds[];
  readonly recipe: EncoderRecipe;
  readonly threads: number;
  readonly seed: Seed;
  readonly checkpointPath: string;
  /** Mean log loss on held-out rows, nats, for early stopping; absent: every epoch runs. */
  readonly validate?: ((model: Model) => Promise<number>) | undefined;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** @throws FlywheelError as `fitNetwork`; `encoder_unusable`, `onnx_no_gradient_rule` */
export async function fitEncoder(options: FitEncoderOptions): Promise<Fitted> {
  const { ids, rows } = options;
  const lengths = ids.map(({ length }) => length);
  const padded = paddedLengths(lengths);
  await using trainer = await openTrainer(options, padded);
  return await fitNetwork({
    ...options,
    trainer,
    stepsPerEpoch: Math.ceil(rows.length / trainer.batchSize),
    batchesFrom: (position) => batchesFrom(options, { lengths, padded, batchSize: trainer.batchSize }, position),
  });
}

function openTrainer(options: FitEncoderOptions, padded: readonly number[]): Promise<Trainer> {
  const { forward, recipe, rows, threads, seed } = options;
  const { optimiser, weightDecay, labelSmoothing, clipNorm, headRate } = recipe;
  return createTrainer({
    forward,
    parameters: trainableParameters(forward),
    loss: { kind: "softmax-cross-entropy", labelSmoothing },
    optimiser: optimiser === "sgd" ? { kind: "sgd", nesterov: true, weightDecay } : { kind: "adamw", weightDecay },
    learningRateScale: ({ name }) => (isHead(name) ? headRate : 1),
    clipNorm,
    sizes: padded.map((L) => ({ L })),
    batchSize: Math.min(recipe.batchSize ?? rowsOfStep(padded.at(-1)!), rows.length),
    threads,
    seed: fork(seed, "trainer"),
  });
}

type Planned = {
  readonly lengths: readonly number[];
  readonly padded: readonly number[];
  readonly batchSize: number;
};

function* batchesFrom(
  { forward, ids, recipe, seed }: FitEncoderOptions,
  planned: Planned,
  from: Position,
): Generator<RowBatch> {
  for (let epoch = from.epoch; epoch < recipe.epochs; epoch++) {
    const plans = planEpoch({ ...planned, epoch, seed });
    for (const { indices, length } of epoch === from.epoch ? plans.slice(from.step) : plans) {
      const texts = indices.map((index) => ids[index]!);
      yield { indices, inputs: tokenFeeds(forward.graph.inputs, texts, length) };
    }
  }
}
