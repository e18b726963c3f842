/**
 * @file `scale · x + shift`, through a leaky rectifier if wished, in one pass over memory. Elementwise operators of ONNX Runtime
 * make one pass each, and a training step is bound by memory; its blocked depthwise convolution with a 1×1 kernel does all
 * of this at once, on any tensor at all: one filter per lane, every filter the same.
 */

import type { Value } from "../builder.ts";
import { floats } from "../tensor.ts";
import { blockedDomain, type Lowering } from "./lowering.ts";

export type Affine = {
  readonly value: Value;
  readonly scale: number;
  readonly shift: number;
  /** What a negative result is multiplied with. */
  readonly leak?: number;
};

/** Elements that one row of the convolution covers: a few kilobytes, which stay in the first-level cache. */
const targetRowLength = 512;

/** How a tensor of so many elements is laid out for `affine`; `undefined` if it does not fill whole blocks. */
export function linesOf(count: number, blockSize: number): readonly number[] | undefined {
  if (count % blockSize !== 0) return undefined;
  const pixels = count / blockSize;
  const width = largestDivisor(pixels, targetRowLength);
  return [1, blockSize, pixels / width, width];
}

function largestDivisor(value: number, limit: number): number {
  for (let candidate = Math.min(limit, value); candidate > 1; candidate--) {
    if (value % candidate === 0) return candidate;
  }
  return 1;
}

/** `value` must already be reshaped to `linesOf` its size; so is the result. */
export function affine({ g }: Lowering, blockSize: number, { value, scale, shift, leak }: Affine): Value {
  const weight = g.constant(floats(new Float32Array(blockSize).fill(scale), [blockSize, 1, 1, 1]));
  const bias = g.constant(floats(new Float32Array(blockSize).fill(shift)));
  const attributes = { group: blockSize, kernel_shape: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
  const activation = leak === undefined ? {} : { activation: "LeakyRelu", activation_params: [leak] };
  return g.op("Conv", [value, weight, bias], { ...attributes, ...activation }, blockedDomain);
}
