/** @file A network over many photos: features for the head, logits for early stopping. Nothing is augmented. */

import type { Progress } from "../../contracts.ts";
import type { Model } from "../../onnx/model.ts";
import { onlyOutput } from "../../onnx/model.ts";
import { openSession } from "../../onnx/session.ts";
import { floats } from "../../onnx/tensor.ts";
import type { ImagePreprocessing } from "../../records.ts";
import { type BatchPlan, loadBatches } from "./batch-loader.ts";
import { inputName } from "./image-input.ts";

export type RunOptions = {
  /** From `images` to one output `[N, width]`. */
  readonly model: Model;
  readonly photosPath: string;
  /** Places in the file of the photos to run over. */
  readonly indices: readonly number[];
  readonly preprocessing: ImagePreprocessing;
  readonly threads: number;
  readonly stage: string;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Larger ones are no faster on a processor, and need more memory. */
const BATCH_SIZE = 16;

/** Row-major `[indices, width]`. */
export async function runOverPhotos(options: RunOptions): Promise<Float32Array> {
  const { model, photosPath: path, indices, preprocessing, threads, progress, signal } = options;
  const { size } = preprocessing;
  const output = onlyOutput(model).name;
  await using session = await openSession(model, { threads });
  const parts: Float32Array[] = [];
  let done = 0;
  for await (const images of loadBatches(plansOf(indices), { path, preprocessing, workers: 1 })) {
    signal?.throwIfAborted();
    const rows = images.length / (3 * size * size);
    const results = await session.run({ [inputName]: floats(images, [rows, 3, size, size]) });
    parts.push(Float32Array.from(results[output]!.data as Float32Array));
    done += rows;
    progress?.({ stage: options.stage, done, total: indices.length });
  }
  return joined(parts);
}

function* plansOf(indices: readonly number[]): Generator<BatchPlan> {
  for (let first = 0; first < indices.length; first += BATCH_SIZE) {
    yield indices.slice(first, first + BATCH_SIZE).map((index) => ({ index, seed: "" }));
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
