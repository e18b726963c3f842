/** @file Helpers that only tests of this folder import. */

import { writeFile } from "node:fs/promises";
import { createRng } from "../math/random.ts";
import { createGraphBuilder } from "../onnx/builder.ts";
import type { Model } from "../onnx/model.ts";
import { blobId, type ImagePreprocessing, rowId } from "../records.ts";
import { seededInitialiser } from "./initialise.ts";
import { activate, convolution, linear, normalise } from "./layers.ts";
import type { TrainingRow } from "./training-rows.ts";

export const tinyPreprocessing: ImagePreprocessing = {
  size: 16,
  resize: 16,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

/** One convolution with batch norm, pooled, two classes: a network that trains in milliseconds. */
export function tinyNetwork(classes = 2): Model {
  const graph = createGraphBuilder("tiny");
  const scope = { graph, initialise: seededInitialiser("tiny"), strideOf: (wanted: 1 | 2) => wanted };
  const images = { value: graph.input("images", "float32", ["N", 3, 16, 16]), width: 3 };
  const filtered = normalise(scope, "bn1", convolution(scope, "conv_stem", images, { width: 8, kernel: 3, stride: 2 }));
  const pooled = graph.op("GlobalAveragePool", [activate(scope, "relu", filtered).value]);
  const features = { value: graph.op("Flatten", [pooled], { axis: 1 }, { name: "features" }), width: 8 };
  graph.output("logits", linear(scope, "classifier", features, classes), "float32", ["N", classes]);
  return graph.build();
}

/** A pixel of noise about reddish (class 0) or greenish (class 1). */
export function tintedPixels(classIndex: number, seed: string): Uint8Array {
  const rng = createRng(seed);
  const centre = classIndex === 0 ? [150, 110, 120] : [110, 150, 120];
  return Uint8Array.from({ length: 16 * 16 * 3 }, (_, index) => centre[index % 3]! + 60 * rng.normal());
}

/** `count` noisy photos of two classes, by turns, as `writePhotoFile` would write them. */
export async function writeTintedPhotos(path: string, count: number, seed: string): Promise<readonly TrainingRow[]> {
  const rows = Array.from({ length: count }, (_, index) => ({
    id: rowId(`${seed}-${index}`),
    blob: blobId("0"),
    target: Float32Array.from(index % 2 === 0 ? [1, 0] : [0, 1]),
    classIndex: index % 2,
    weight: 1,
  }));
  const pixels = rows.map(({ classIndex }, index) => tintedPixels(classIndex, `${seed}/${index}`));
  await writeFile(path, Buffer.concat(pixels));
  return rows;
}
