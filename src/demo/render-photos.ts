/** @file Renders many photos on all cores: numbered photos do not depend on each other, so each thread takes a range. */

import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { FruitPhotos } from "./photo-files.ts";
import type { RenderShare } from "./render-worker.ts";
import { type FruitPhotosOptions, writeFruitPhotos } from "./write-fruit-photos.ts";

/** As `writeFruitPhotos`, on `threads` threads, by default as many as there are cores. */
export async function renderPhotos(
  options: FruitPhotosOptions & { readonly side: number; readonly threads?: number },
): Promise<FruitPhotos> {
  const { directory, count, seed, side, from = 0, threads = availableParallelism(), progress, signal } = options;
  const size = Math.ceil(count / threads);
  const done = new Array<number>(threads).fill(0);
  const render = async (thread: number): Promise<void> => {
    const first = from + thread * size;
    const share = { directory, seed, side, from: first, count: Math.max(0, Math.min(size, from + count - first)) };
    await runShare(share, {
      onDone: (rendered) => {
        done[thread] = rendered;
        progress?.({ stage: "photos", done: done.reduce((sum, each) => sum + each, 0), total: count });
      },
      signal,
    });
  };
  await Promise.all(done.map((_, thread) => render(thread)));
  signal?.throwIfAborted();
  // All photos are there: this writes the gold file of the whole range.
  return await writeFruitPhotos({ directory, count, seed, from, side });
}

async function runShare(
  share: RenderShare,
  { onDone, signal }: { readonly onDone: (rendered: number) => void; readonly signal: AbortSignal | undefined },
): Promise<void> {
  // Compiled, this file and the worker both end in .js.
  const file = new URL(import.meta.url.endsWith(".ts") ? "./render-worker.ts" : "./render-worker.js", import.meta.url);
  const worker = new Worker(file, { workerData: share, execArgv: [] });
  const stop = () => void worker.terminate();
  signal?.addEventListener("abort", stop, { once: true });
  worker.on("message", onDone);
  await once(worker, "exit");
  signal?.removeEventListener("abort", stop);
}
