/** @file Matrix products: Y = A B gives dA = dY Bᵀ, dB = Aᵀ dY; batch axes broadcast, so their gradients are summed. */

import type { GraphBuilder, Value } from "../builder.ts";
import { floatAttribute, intAttribute } from "../model.ts";
import {
  gradientOf,
  hasInput,
  input,
  inputDims,
  outputDims,
  type Rule,
  type RuleContext,
  type Rules,
  reshape,
  scalar,
  unbroadcast,
  whenNeeded,
} from "./rule.ts";

type Operand = { readonly value: Value; readonly dims: readonly number[] };

/** Vectors are matrices with one row (left) or one column (right), as in NumPy. */
const asMatrix = (dims: readonly number[], side: "left" | "right"): readonly number[] => {
  if (dims.length !== 1) return dims;
  return side === "left" ? [1, ...dims] : [...dims, 1];
};

function swapLast(g: GraphBuilder, { value, dims }: Operand): Value {
  const perm = dims.map((_, axis) => axis);
  [perm[dims.length - 2], perm[dims.length - 1]] = [dims.length - 1, dims.length - 2];
  return g.op("Transpose", [value], { perm });
}

/** The product's batch axes, broadcast. */
function batchOf(left: readonly number[], right: readonly number[]): readonly number[] {
  const rank = Math.max(left.length, right.length) - 2;
  const at = (dims: readonly number[], axis: number): number => dims[axis - rank + dims.length - 2] ?? 1;
  return Array.from({ length: rank }, (_, axis) => Math.max(at(left, axis), at(right, axis)));
}

const matMul: Rule = (c) => {
  const { g } = c;
  const a = operand(c, 0, "left");
  const b = operand(c, 1, "right");
  const batch = batchOf(a.dims, b.dims);
  const [m, k, n] = [a.dims.at(-2)!, a.dims.at(-1)!, b.dims.at(-1)!];
  const dy = { value: reshaped(c, gradientOf(c), outputDims(c), [...batch, m, n]), dims: [...batch, m, n] };
  return [
    whenNeeded(c, 0, () => {
      const full = g.op("MatMul", [dy.value, swapLast(g, b)]);
      return reshaped(c, unbroadcast(g, full, [...batch, m, k], a.dims), a.dims, inputDims(c, 0));
    }),
    whenNeeded(c, 1, () => reshaped(c, rightGradient(c, a, b.dims, dy), b.dims, inputDims(c, 1))),
  ];
};

/** When one weight matrix serves a whole batch, all its rows form one tall product instead of a batch that is then summed. */
function rightGradient(c: RuleContext, a: Operand, bDims: readonly number[], dy: Operand): Value {
  const { g } = c;
  if (bDims.length === 2) {
    const tall = { value: reshape(g, a.value, [-1, a.dims.at(-1)!]), dims: [0, 0] };
    return g.op("MatMul", [swapLast(g, tall), reshape(g, dy.value, [-1, dy.dims.at(-1)!])]);
  }
  const full = g.op("MatMul", [swapLast(g, a), dy.value]);
  return unbroadcast(g, full, [...dy.dims.slice(0, -2), a.dims.at(-1)!, dy.dims.at(-1)!], bDims);
}

function operand(c: RuleContext, index: number, side: "left" | "right"): Operand {
  const dims = asMatrix(inputDims(c, index), side);
  return { value: reshaped(c, input(c, index), inputDims(c, index), dims), dims };
}

function reshaped(c: RuleContext, value: Value, from: readonly number[], to: readonly number[]): Value {
  return from.length === to.length ? value : reshape(c.g, value, to);
}

/** Y = α A' B' + β C, where ' may transpose. */
const gemm: Rule = (c) => {
  const dy = gradientOf(c);
  const [alpha, beta] = [floatAttribute(c.node, "alpha", 1), floatAttribute(c.node, "beta", 1)];
  const [isATransposed, isBTransposed] = [flag(c, "transA"), flag(c, "transB")];
  const [a, b] = [input(c, 0), input(c, 1)];
  const product = (left: Value, transA: number, right: Value, transB: number): Value =>
    c.g.op("Gemm", [left, right], { alpha, transA, transB });
  return [
    whenNeeded(c, 0, () => (isATransposed ? product(b, isBTransposed, dy, 1) : product(dy, 0, b, 1 - isBTransposed))),
    whenNeeded(c, 1, () => (isBTransposed ? product(dy, 1, a, isATransposed) : product(a, 1 - isATransposed, dy, 0))),
    hasInput(c, 2) ? whenNeeded(c, 2, () => biasGradient(c, dy, beta)) : undefined,
  ];
};

const flag = (c: RuleContext, name: string): number => intAttribute(c.node, name, 0);

function biasGradient(c: RuleContext, dy: Value, beta: number): Value {
  const summed = unbroadcast(c.g, dy, outputDims(c), inputDims(c, 2));
  return beta === 1 ? summed : c.g.op("Mul", [summed, scalar(c, beta)]);
}

export const matmulRules: Rules = { MatMul: matMul, Gemm: gemm };
