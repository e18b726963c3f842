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

/** Far below any positive float32 that s can be (2⁻²⁶), and a power of two: what follows is exact. */
const justAboveZero = 2 ** -100;
/** One step of float32 just below 2. */
const justBelowTwo = 2 ** -23;

/**
 * A leaky rectifier with a steep negative slope is a jump at a point. Two of them make both jumps:
 *   w = 2s, but ½ where s = 0:   leak(2s − 2⁻¹⁰⁰), as −2⁻¹⁰⁰ · −2⁹⁹ = ½
 *   m = 2 − w, but ½ where w = 2: leak(2 − 2⁻²³ − w), as −2⁻²³ · −2²² = ½
 * and the slope is 3/2 − m, to within 2⁻²³.
 */
function fusedSlope(l: Lowering, blockSize: number, lines: readonly number[], s: Value): Value {
  const value = reshape(l.g, s, lines);
  const w = affine(l, blockSize, { value, scale: 2, shift: -justAboveZero, leak: -0.5 / justAboveZero });
  const m = affine(l, blockSize, { value: w, scale: -1, shift: 2 - justBelowTwo, leak: -0.5 / justBelowTwo });
  return affine(l, blockSize, { value: m, scale: -1, shift: 1.5 });
}

/** Any positive float32 that s can be, times this, exceeds 1. */
const leftSlope = 1e30;
/** The largest float32 below 1 is 1 − 2⁻²⁴; times this it is a whole 1 short, and all of it is exact. */
const rightSlope = 2 ** 24;

/** 2(s − ¼([s > 0] + [s = 1])), the brackets as steep hard sigmoids. */
function plainSlope({ g }: Lowering, s: Value): Value {
  const isAbove = g.op("HardSigmoid", [s], { alpha: leftSlope, beta: 0 });
  const isOne = g.op("HardSigmoid", [s], { alpha: rightSlope, beta: 1 - rightSlope });
  const steps = g.op("Mul", [g.op("Add", [isAbove, isOne]), g.scalar(0.25)]);
  return g.op("Mul", [g.op("Sub", [s, steps]), g.scalar(2)]);
}
