/** @file Helpers that only tests of this folder import. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { createRng } from "../math/random.ts";
import { createGraphBuilder } from "../onnx/builder.ts";
import type { Model } from "../onnx/model.ts";
import { writeOnnx } from "../onnx/proto.ts";
import { blobId, type ImagePreprocessing, type Row, rowId, Split } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { sampleAnnotation, sampleRow } from "../store/testing/samples.ts";
import { defineTask, type Task, type TaskDefinition } from "../task.ts";
import { seededInitialiser } from "./image/initialise.ts";
import { activate, convolution, linear, normalise } from "./image/layers.ts";
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
    input: { kind: "image" as const, blob: blobId("0"), width: 16, height: 16, mediaType: "image/png" },
    target: Float32Array.from(index % 2 === 0 ? [1, 0] : [0, 1]),
    classIndex: index % 2,
    weight: 1,
  }));
  const pixels = rows.map(({ classIndex }, index) => tintedPixels(classIndex, `${seed}/${index}`));
  await writeFile(path, Buffer.concat(pixels));
  return rows;
}

export type World = AsyncDisposable & {
  readonly store: Store;
  readonly directory: string;
  /** A tiny ONNX classifier of three other classes, to be given a new head. */
  readonly weights: string;
};

/** A store with `perSplit` labelled photos of two classes in each split, each with a teacher's annotation. */
export async function openWorld(counts: Readonly<Record<Split, number>>): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-train-"));
  const store = await openSqliteStore({ directory });
  for (const split of Split) await addPhotos(store, split, counts[split]);
  const weights = join(directory, "tiny.onnx");
  await writeFile(weights, writeOnnx(tinyNetwork(3)));
  return {
    store,
    directory,
    weights,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

export async function addPhotos(store: Store, split: Split, count: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let index = 0; index < count; index++) {
    const name = `${split}-${index}`;
    const raw = { width: 16, height: 16, channels: 3 } as const;
    const png = await sharp(tintedPixels(index % 2, name), { raw })
      .png()
      .toBuffer();
    const input = {
      kind: "image",
      blob: await store.blobs.put(png),
      width: 16,
      height: 16,
      mediaType: "image/png",
    } as const;
    rows.push(sampleRow(name, { input, split }));
  }
  await store.rows.put(rows);
  const values = rows.map((_, index) => (index % 2 === 0 ? "red" : "green"));
  await store.annotations.put(rows.map((row, index) => sampleAnnotation(row, 1, { value: values[index]! })));
  await store.labels.put(
    rows.map(({ id }, index) => ({ rowId: id, value: values[index]!, weight: 0.8, basis: "agreed", at: 1 }) as const),
  );
  return rows;
}

export function tintTask(student: TaskDefinition["student"] = {}): Task {
  return defineTask({
    name: "tint",
    input: "image",
    instructions: "Which tint has the noise?",
    output: { kind: "choice", choices: ["red", "green"] },
    teacher: { model: "compatible/simulated" },
    student,
  });
}
