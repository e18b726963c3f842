/**
 * @file How unlike an input is to those that taught a network its class: the distance between the directions of what the
 * network's last layer reads, seen from the mean of all training rows, to the nearest of that class
 * (docs/decisions/2026-11-28-out-of-scope-images-records.md).
 *
 * Source: nearest neighbours on penultimate features, Sun et al. (arXiv 2204.06507).
 */

import { checkClassStarts, firstOfEachClass } from "../math/nearest.ts";
import { DirectionSearch, type Directions, writeDirection } from "../math/nearest-direction.ts";
import { type NumericTensor, readSafetensors, writeSafetensors } from "../onnx/safetensors.ts";
import { floats, tensor } from "../onnx/tensor.ts";
import { tensorIn } from "./neighbours-file.ts";

export type FeatureNeighbours = Directions & {
  /** Of the features of the rows that are kept. `[width]` */
  readonly mean: Float32Array;
};

/** Bytes kept of all classes together. */
const MOST_BYTES = 2 ** 22;
/** Of one class: all of them are looked at for one input, in half a millisecond. */
const MOST_BYTES_OF_CLASS = 2 ** 19;

type Labelled = {
  /** `[rows]`, in [0, `classes`); in the order of the rows' hashes, so that the first of a class are a uniform sample of it. */
  readonly classIndices: Int32Array;
  readonly classes: number;
};

/** Which training rows to keep, by class, where the last layer reads `width` numbers. */
export function rowsToKeep({ classIndices, classes }: Labelled, width: number) {
  const most = Math.floor(Math.min(MOST_BYTES_OF_CLASS, MOST_BYTES / classes) / width);
  return firstOfEachClass(classIndices, classes, Math.max(1, most));
}

/** @param features `[rows, width]` of the rows to keep, class after class */
export function collectNeighbours(features: Float32Array, classStarts: Int32Array): FeatureNeighbours {
  const rows = classStarts.at(-1)!;
  const width = features.length / rows;
  const mean = meanOf(features, width);
  const numbers = new Int8Array(features.length);
  for (let row = 0; row < rows; row++) {
    const own = features.subarray(row * width, (row + 1) * width);
    writeDirection(seenFrom(mean, own), numbers, row * width);
  }
  return { width, classStarts, numbers, mean };
}

function meanOf(features: Float32Array, width: number): Float32Array {
  const sums = new Float64Array(width);
  for (let at = 0; at < features.length; at++) sums[at % width]! += features[at]!;
  return Float32Array.from(sums, (sum) => (sum * width) / features.length);
}

const seenFrom = (mean: Float32Array, features: Float32Array): Float32Array =>
  features.map((value, at) => value - mean[at]!);

export function writeNeighbours({ width, classStarts, numbers, mean }: FeatureNeighbours): Uint8Array {
  const rows = numbers.length / width;
  const tensors = new Map<string, NumericTensor>([
    ["class_starts", tensor("int32", [classStarts.length], classStarts)],
    ["directions", tensor("int8", [rows, width], numbers)],
    ["mean", floats(mean)],
  ]);
  return writeSafetensors({ tensors, metadata: {} });
}

/** @throws RangeError, FlywheelError `safetensors_corrupt` where these are no neighbours of `classes` classes */
export function readNeighbours(bytes: Uint8Array, classes: number): FeatureNeighbours {
  const file = readSafetensors(bytes);
  const mean = tensorIn(file, { name: "mean", dtype: "float32", dims: [undefined] }).data;
  const classStarts = tensorIn(file, { name: "class_starts", dtype: "int32", dims: [classes + 1] }).data;
  const directions = tensorIn(file, { name: "directions", dtype: "int8", dims: [undefined, mean.length] });
  checkClassStarts(classStarts, directions.dims[0]!);
  return { width: mean.length, classStarts, numbers: directions.data, mean };
}

export class FeatureSearch {
  readonly #mean: Float32Array;
  readonly #search: DirectionSearch;

  constructor(neighbours: FeatureNeighbours) {
    this.#mean = neighbours.mean;
    this.#search = new DirectionSearch(neighbours);
  }

  /** In [0, 2]: 0 is one of the training rows of the class, 1 at right angles to its nearest. @param features `[width]` */
  novelty(features: Float32Array, classIndex: number): number {
    return this.#search.distance(seenFrom(this.#mean, features), classIndex);
  }
}
