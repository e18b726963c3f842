/**
 * @file Batches of images made ready in other threads while the training step runs in this one.
 *
 * ONNX Runtime holds this thread for the length of a step, so a batch that is to be ready after it must be asked for
 * before: `lookahead` requests are always out. Buffers travel back and forth without a copy. What a batch holds depends
 * on its request alone, so the number of threads changes nothing but the time.
 */

import { Worker } from "node:worker_threads";
import { FlywheelError, messageOf } from "../../errors.ts";
import type { AugmentationRange } from "../../image/augment.ts";
import type { ImagePreprocessing } from "../../records.ts";

export type BatchSetup = {
  /** What `writePhotoFile` wrote. */
  readonly path: string;
  readonly preprocessing: ImagePreprocessing;
  /** Absent: the photos as they are. */
  readonly augmentation?: AugmentationRange | undefined;
};

/** Which photos a batch holds, and the seed from which each one's augmentation is drawn. */
export type BatchPlan = readonly { readonly index: number; readonly seed: string }[];

export type BatchRequest = { readonly rows: BatchPlan; readonly images: Float32Array<ArrayBuffer> };

export type LoaderOptions = BatchSetup & {
  readonly workers: number;
  /** Batches asked for before they are needed. Default 2 per worker. */
  readonly lookahead?: number;
};

/**
 * Yields the batches of `plans` in order, each `[rows, 3, size, size]`. A batch may be read until the next is asked for:
 * its memory is used again.
 * @throws FlywheelError `batch_worker_failed`
 */
export async function* loadBatches(plans: Iterable<BatchPlan>, options: LoaderOptions): AsyncGenerator<Float32Array> {
  const workers = Array.from({ length: options.workers }, () => startWorker(options));
  const lookahead = options.lookahead ?? 2 * options.workers;
  const side = options.preprocessing.size;
  const free: ArrayBuffer[] = [];
  const underWay: Promise<Float32Array<ArrayBuffer>>[] = [];
  let asked = 0;
  const ask = (rows: BatchPlan): void => {
    const length = rows.length * 3 * side * side;
    const recycled = free.pop();
    const buffer =
      recycled !== undefined && recycled.byteLength === length * 4 ? recycled : new ArrayBuffer(length * 4);
    underWay.push(workers[asked++ % workers.length]!.prepare({ rows, images: new Float32Array(buffer) }));
  };
  try {
    const iterator = plans[Symbol.iterator]();
    const askNext = (): void => {
      const next = iterator.next();
      if (next.done !== true) ask(next.value);
    };
    for (let ahead = 0; ahead < lookahead; ahead++) askNext();
    for (let batch = underWay.shift(); batch !== undefined; batch = underWay.shift()) {
      const images = await batch;
      askNext();
      yield images;
      free.push(images.buffer);
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

type BatchMaker = {
  prepare(request: BatchRequest): Promise<Float32Array<ArrayBuffer>>;
  stop(): Promise<void>;
};

function startWorker({ path, preprocessing, augmentation }: BatchSetup): BatchMaker {
  // Compiled, this file and the worker both end in .js.
  const file = new URL(import.meta.url.endsWith(".ts") ? "./batch-worker.ts" : "./batch-worker.js", import.meta.url);
  const setup: BatchSetup = { path, preprocessing, augmentation };
  // Not our own flags: `--input-type` of a script given by `-e` would keep the thread from starting.
  const worker = new Worker(file, { workerData: setup, execArgv: [] });
  const waiting: PromiseWithResolvers<Float32Array<ArrayBuffer>>[] = [];
  let failure: FlywheelError | undefined;
  worker.on("message", (images: Float32Array<ArrayBuffer>) => waiting.shift()?.resolve(images));
  worker.on("error", (cause) => {
    failure = new FlywheelError("batch_worker_failed", `preparing images failed: ${messageOf(cause)}`, { cause });
    for (const each of waiting.splice(0)) each.reject(failure);
  });
  return {
    prepare(request) {
      const result = Promise.withResolvers<Float32Array<ArrayBuffer>>();
      result.promise.catch(() => {}); // awaited in its turn
      if (failure) result.reject(failure);
      else {
        waiting.push(result);
        worker.postMessage(request, [request.images.buffer]);
      }
      return result.promise;
    },
    async stop() {
      await worker.terminate();
    },
  };
}
