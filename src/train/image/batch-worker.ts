/** @file Runs in a thread of its own: photos in, augmented batches out. Stateless between batches. */

import { parentPort, workerData } from "node:worker_threads";
import { drawAugmentation, writeAugmented } from "../../image/augment.ts";
import { writeNormalised } from "../../image/prepare.ts";
import { createRng } from "../../math/random.ts";
import type { BatchRequest, BatchSetup } from "./batch-loader.ts";
import { openPhotoFile } from "./photo-file.ts";

const { path, preprocessing, augmentation }: BatchSetup = workerData;
const photos = openPhotoFile(path, preprocessing);
const photoSize = 3 * preprocessing.size * preprocessing.size;

parentPort?.on("message", ({ rows, images }: BatchRequest) => {
  rows.forEach(({ index, seed }, position) => {
    const rgb = photos.read(index);
    const offset = position * photoSize;
    if (augmentation === undefined) writeNormalised(rgb, preprocessing, images, offset);
    else {
      const drawn = drawAugmentation(createRng(seed), augmentation);
      writeAugmented({ rgb, side: preprocessing.size }, drawn, preprocessing, images, offset);
    }
  });
  parentPort?.postMessage(images, [images.buffer]);
});
