/**
 * @file Hard-swish y = x · s, s = HardSigmoid(x; 1/6, 1/2), and its gradient. The derivative depends on s alone: 2s − ½
 * where 0 < s < 1, and exactly 0 and 1 at the ends. So s, which the forward pass computes anyway, is kept instead of x.
 */

import type { Value } from "../builder.ts";
import { elementCount } from "../tensor.ts";
import { affine, linesOf } from "./affine.ts";
import { type Lowering, reshape } from "./lowering.ts";

const sigmoidOf = (l: Lowering, x: Value): Value =>
  l.once(`hard sigmoid ${x.name}`, () => l.g.op("HardSigmoid", [x], { alpha: 1 / 6, beta: 0.5 }));

export const hardSwish = (l: Lowering, x: Value): Value => l.g.op("Mul", [x, sigmoidOf(l, x)]);

export function hardSwishGradient(l: Lowering, dims: readonly number[], { dy, x }: { dy: Value; x: Value }): Value {
  const { blockSize } = l.target;
  const lines = blockSize === undefined ? undefined : linesOf(elementCount(dims), blockSize);
  const s = sigmoidOf(l, x);
  const slope = blockSize !== undefined && lines ? fusedSlope(l, blockSize, lines, s) : plainSlope(l, s);
  return l.g.op("Mul", [dy, lines ? reshape(l.g, slope, dims) : slope]);
}

/** Any positive float32 that s can be, times this, exceeds ½. */
const leftSlope = 1e30;
/** The largest float32 below 1 is 1 − 2⁻²⁴; times this it is still ½ short of 2²³, and all of it is exact. */
const rightSlope = 2 ** 23;

/** (2s − ½ + ½[s = 0]) − ½[s = 1]: two rectified lines and two sums. */
function fusedSlope(l: Lowering, blockSize: number, lines: readonly number[], s: Value): Value {
  const value = reshape(l.g, s, lines);
  const atZero = affine(l, blockSize, { value, scale: -leftSlope, shift: 0.5, isRectified: true });
  const atOne = affine(l, blockSize, { value, scale: rightSlope, shift: 0.5 - rightSlope, isRectified: true });
  const left = affine(l, blockSize, { value, scale: 2, shift: -0.5, sum: atZero });
  return affine(l, blockSize, { value: atOne, scale: -1, shift: 0, sum: left });
}

/** 2(s − ¼([s > 0] + [s = 1])), the brackets as steep hard sigmoids. */
function plainSlope({ g }: Lowering, s: Value): Value {
  const isAbove = g.op("HardSigmoid", [s], { alpha: leftSlope, beta: 0 });
  const isOne = g.op("HardSigmoid", [s], { alpha: 2 * rightSlope, beta: 1 - 2 * rightSlope });
  const steps = g.op("Mul", [g.op("Add", [isAbove, isOne]), g.scalar(0.25)]);
  return g.op("Mul", [g.op("Sub", [s, steps]), g.scalar(2)]);
}
