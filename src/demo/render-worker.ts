/** @file A thread that renders its share of the photos. Tells how many are done after each. */

import { parentPort, workerData } from "node:worker_threads";
import { type FruitPhotosOptions, writePhotos } from "./write-fruit-photos.ts";

export type RenderShare = Required<Pick<FruitPhotosOptions, "directory" | "count" | "seed" | "from" | "side">>;

const share: RenderShare = workerData;
await writePhotos({ ...share, progress: ({ done }) => parentPort?.postMessage(done) });
