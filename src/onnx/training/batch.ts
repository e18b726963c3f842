/** @file A batch: what a step is given, its checks, and how it enters the step graph, which has room for a fixed number of rows. */

import { FlywheelError } from "../../errors.ts";
import { createRng, fork, type Seed } from "../../math/random.ts";
import type { Feeds } from "../session.ts";
import { elementCount, floats, type Tensor } from "../tensor.ts";
import type { DropoutMask } from "./prepare.ts";
import { ports } from "./step-graph.ts";

export type Batch = {
  /** By input name; `[n, ...]` with 1 ≤ n ≤ batch size. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** `[n, K]`, row-major, each row a distribution over the classes (soft or one-hot). */
  readonly targets: Float32Array;
  /** `[n]`, ≥ 0, not all 0: the loss is the weighted mean over rows. Default all 1. */
  readonly weights?: Float32Array;
};

export type BatchShape = { readonly batchSize: number; readonly classes: number };

/** @returns the number of rows. @throws FlywheelError `onnx_bad_batch` */
export function checkBatch({ inputs, targets, weights }: Batch, { batchSize, classes }: BatchShape): number {
  const rows = targets.length / classes;
  const sizes = Object.values(inputs).map((each) => each.dims[0]);
  if (!Number.isInteger(rows) || rows < 1 || rows > batchSize || sizes.some((size) => size !== rows)) {
    throw badBatch(`${targets.length} targets of ${classes} classes for inputs of ${sizes.join(", ")} rows`, batchSize);
  }
  const isWeighted = weights === undefined || (weights.length === rows && weights.some((each) => each > 0));
  if (!isWeighted || weights?.some((each) => !(each >= 0 && Number.isFinite(each)))) {
    throw badBatch(`weights must be ${rows} finite numbers ≥ 0, not all 0`, batchSize);
  }
  return rows;
}

function badBatch(message: string, batchSize: number): FlywheelError {
  return new FlywheelError("onnx_bad_batch", message, {
    hint: `give between 1 and ${batchSize} rows, each with a target`,
  });
}

/** A smaller batch is filled up with its own rows at weight 0: they change nothing but batch statistics, and those little. */
export function batchFeeds(batch: Batch, { batchSize, classes }: BatchShape): Feeds {
  const rows = batch.targets.length / classes;
  const inputs = Object.entries(batch.inputs).map(([name, value]) => [name, filledUp(value, batchSize)] as const);
  const weights = new Float32Array(batchSize);
  weights.set(batch.weights ?? new Float32Array(rows).fill(1));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const shares = weights.map((weight) => weight / sum);
  return {
    ...Object.fromEntries(inputs),
    [ports.targets]: filledUp(floats(batch.targets, [rows, classes]), batchSize),
    [ports.shares]: floats(shares, [batchSize, 1]),
  };
}

function filledUp(value: Tensor, batchSize: number): Tensor {
  const [rows = 0, ...rest] = value.dims;
  if (rows === batchSize || value.dtype === "string") return value;
  const width = elementCount(rest);
  const data = new (value.data.constructor as Float32ArrayConstructor)(batchSize * width); // any of the numeric arrays
  for (let row = 0; row < batchSize; row++) {
    const from = (row % rows) * width;
    data.set((value.data as Float32Array).subarray(from, from + width), row * width);
  }
  return { ...value, dims: [batchSize, ...rest], data } as Tensor; // same array type, more rows
}

/** Masks depend on seed, step and layer alone, so a restored trainer draws the same ones. */
export function dropoutFeeds(dropouts: readonly DropoutMask[], seed: Seed, step: number): Feeds {
  return Object.fromEntries(
    dropouts.map(({ name, dims, rate }) => {
      const rng = createRng(fork(seed, "dropout", name, step));
      const mask = Float32Array.from({ length: elementCount(dims) }, () => (rng.next() < rate ? 0 : 1 / (1 - rate)));
      return [name, floats(mask, dims)];
    }),
  );
}
