/**
 * @file A network over many photos: features for the head, logits for early stopping. Nothing is augmented, so this thread
 * makes the batches ready itself: a hundredth of the network's time, where to start another thread takes as long as two
 * hundred photos of 64 × 64.
 */

import { setImmediate as breathe } from "node:timers/promises";
import type { Progress } from "../../contracts.ts";
import { writeNormalised } from "../../image/prepare.ts";
import type { Model } from "../../onnx/model.ts";
import { onlyOutput } from "../../onnx/model.ts";
import { openSession } from "../../onnx/session.ts";
import { floats, type TensorOf } from "../../onnx/tensor.ts";
import type { ImagePreprocessing } from "../../records.ts";
import { inputName } from "./image-input.ts";
import { openPhotoFile, type PhotoFile } from "./photo-file.ts";

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
  const { model, photosPath, indices, preprocessing, threads, progress, signal } = options;
  const output = onlyOutput(model).name;
  await using session = await openSession(model, { threads });
  using photos = openPhotoFile(photosPath, preprocessing);
  const parts: Float32Array[] = [];
  for (let first = 0; first < indices.length; first += BATCH_SIZE) {
    signal?.throwIfAborted();
    const rows = indices.slice(first, first + BATCH_SIZE);
    const results = await session.run({ [inputName]: readBatch(photos, rows, preprocessing) });
    parts.push(Float32Array.from(results[output]!.data as Float32Array));
    progress?.({ stage: options.stage, done: first + rows.length, total: indices.length });
    await breathe();
  }
  return joined(parts);
}

function readBatch(photos: PhotoFile, rows: readonly number[], preprocessing: ImagePreprocessing): TensorOf<"float32"> {
  const { size } = preprocessing;
  const images = new Float32Array(rows.length * 3 * size * size);
  for (const [position, row] of rows.entries()) {
    writeNormalised(photos.read(row), preprocessing, images, position * 3 * size * size);
  }
  return floats(images, [rows.length, 3, size, size]);
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
