/**
 * @file Activation functions. Derivatives of the piecewise linear ones need a 0/1 mask, which `HardSigmoid` with a huge
 * slope makes in one vectorised, threaded pass; comparison, cast and `Where` would take three, an order of magnitude
 * slower in ONNX Runtime (measured on [32, 16, 112, 112]: 2 ms against 28 and 46).
 */

import type { Value } from "../builder.ts";
import { floatAttribute, intAttribute, stringAttribute } from "../model.ts";
import {
  constantInput,
  gradientOf,
  hasInput,
  input,
  inputDims,
  output,
  outputDims,
  ownDomain,
  positiveAxis,
  type Rule,
  type RuleContext,
  type Rules,
  reduceSum,
  scalarLike,
  typeOf,
  unary,
} from "./rule.ts";

/** Steep enough that any normal float32 above 1e-30 saturates; finite, so that 0 · slope is 0. */
const stepSlope = 1e30;

/** 1 where `sign · (value − threshold) > 0`, else 0. */
function step(c: RuleContext, value: Value, threshold: number, sign: 1 | -1): Value {
  if (typeOf(c, output(c)).dtype === "float32") {
    return c.g.op("HardSigmoid", [value], { alpha: sign * stepSlope, beta: -sign * threshold * stepSlope });
  }
  const above = c.g.op(sign === 1 ? "Greater" : "Less", [value, scalarLike(c, threshold)]);
  return c.g.op("CastLike", [above, output(c)]);
}

const multiply = (c: RuleContext, left: Value, right: Value): Value => c.g.op("Mul", [left, right]);

const relu = unary((c, dy) => multiply(c, dy, step(c, output(c), 0, 1)));

/** dx = dy · (α + (1 − α) · [x > 0]) */
const leakyRelu = unary((c, dy) => {
  const alpha = floatAttribute(c.node, "alpha", 0.01);
  const slope = c.g.op("Mul", [step(c, input(c), 0, 1), scalarLike(c, 1 - alpha)]);
  return multiply(c, dy, c.g.op("Add", [slope, scalarLike(c, alpha)]));
});

/** Bounds are inputs since operator set 11, attributes before. */
function clipBound(c: RuleContext, index: number, attribute: string): number | undefined {
  const old = floatAttribute(c.node, attribute, Number.NaN);
  const bound = hasInput(c, index) ? constantInput(c, index)?.[0] : old;
  return bound === undefined || !Number.isFinite(bound) || Math.abs(bound) > 1e8 ? undefined : bound;
}

const clip: Rule = (c) => {
  const low = clipBound(c, 1, "min");
  const high = clipBound(c, 2, "max");
  const above = low === undefined ? gradientOf(c) : multiply(c, gradientOf(c), step(c, output(c), low, 1));
  return [high === undefined ? above : multiply(c, above, step(c, output(c), high, -1))];
};

/** dx = dy · α where 0 < y < 1 */
const hardSigmoid = unary((c, dy) => {
  const inside = multiply(c, step(c, output(c), 0, 1), step(c, output(c), 1, -1));
  return multiply(c, dy, multiply(c, inside, scalarLike(c, floatAttribute(c.node, "alpha", 0.2))));
});

/** Left to `lower/hard-swish.ts`, which shares the inner hard sigmoid between the forward and the backward pass. */
const hardSwish = unary((c, dy) =>
  c.g.op("HardSwishGradient", [dy, input(c)], { dims: inputDims(c) }, { domain: ownDomain }),
);

const sigmoid = unary((c, dy) => {
  const y = output(c);
  return multiply(c, dy, multiply(c, y, c.g.op("Sub", [scalarLike(c, 1), y])));
});

const tanh = unary((c, dy) => {
  const squared = multiply(c, output(c), output(c));
  return multiply(c, dy, c.g.op("Sub", [scalarLike(c, 1), squared]));
});

/** Φ(x) + x φ(x), or the derivative of the tanh approximation (Hendrycks & Gimpel 2016). */
const gelu = unary((c, dy) => {
  const approximate = stringAttribute(c.node, "approximate", "none");
  return multiply(c, dy, approximate === "tanh" ? geluTanhSlope(c) : geluSlope(c));
});

function geluSlope(c: RuleContext): Value {
  const { g } = c;
  const x = input(c);
  const half = scalarLike(c, 0.5);
  const erf = g.op("Erf", [multiply(c, x, scalarLike(c, Math.SQRT1_2))]);
  const cumulative = g.op("Add", [multiply(c, erf, half), half]);
  const gaussian = g.op("Exp", [multiply(c, multiply(c, x, x), scalarLike(c, -0.5))]);
  const density = multiply(c, gaussian, scalarLike(c, 1 / Math.sqrt(2 * Math.PI)));
  return g.op("Add", [cumulative, multiply(c, x, density)]);
}

/** With u = √(2/π)(x + 0.044715 x³), t = tanh u: ½(1 + t) + ½ x (1 − t²) √(2/π)(1 + 3 · 0.044715 x²). */
function geluTanhSlope(c: RuleContext): Value {
  const { g } = c;
  const x = input(c);
  const rate = Math.sqrt(2 / Math.PI);
  const squared = multiply(c, x, x);
  const affine = (value: Value, scale: number, shift: number): Value =>
    g.op("Add", [multiply(c, value, scalarLike(c, scale)), scalarLike(c, shift)]);
  const t = g.op("Tanh", [multiply(c, x, affine(squared, 0.044715 * rate, rate))]);
  const inner = affine(squared, 3 * 0.044715 * rate * 0.5, rate * 0.5);
  const bell = affine(multiply(c, t, t), -1, 1);
  return g.op("Add", [affine(t, 0.5, 0.5), multiply(c, multiply(c, x, bell), inner)]);
}

/** y = x for x > 0, α(eˣ − 1) below, where the slope is y + α. */
const elu = unary((c, dy) => {
  const alpha = floatAttribute(c.node, "alpha", 1);
  const isPositive = c.g.op("Greater", [input(c), scalarLike(c, 0)]);
  const slope = c.g.op("Where", [isPositive, scalarLike(c, 1), c.g.op("Add", [output(c), scalarLike(c, alpha)])]);
  return multiply(c, dy, slope);
});

function softmaxAxis(c: RuleContext): number {
  return positiveAxis(intAttribute(c.node, "axis", -1), outputDims(c).length);
}

/** dx = y · (dy − Σ dy · y) */
const softmax = unary((c, dy) => {
  const y = withoutNaN(c);
  const weighted = multiply(c, dy, y);
  const mean = reduceSum(c.g, weighted, [softmaxAxis(c)]);
  return c.g.op("Sub", [weighted, multiply(c, y, mean)]);
});

/**
 * A row that is wholly masked, all −∞, comes out as NaN. Exporters of attention put `Where(IsNaN(y), 0, y)` behind, as PyTorch
 * does; the rule then reads that, for 0 · NaN would carry the NaN into every gradient.
 */
function withoutNaN(c: RuleContext): Value {
  const y = output(c);
  const tests = new Set(
    c.graph.nodes.flatMap(({ opType, inputs, outputs }) => (opType === "IsNaN" && inputs[0] === y.name ? outputs : [])),
  );
  if (tests.size === 0) return y;
  const guard = c.graph.nodes.find(
    ({ opType, inputs }) => opType === "Where" && tests.has(inputs[0] ?? "") && inputs[2] === y.name,
  );
  return guard ? { name: guard.outputs[0]! } : y;
}

/** dx = dy − eʸ Σ dy */
const logSoftmax = unary((c, dy) => {
  const sum = reduceSum(c.g, dy, [softmaxAxis(c)]);
  return c.g.op("Sub", [dy, multiply(c, c.g.op("Exp", [output(c)]), sum)]);
});

/** ONNX Runtime's x · sigmoid(αx) (SiLU at α = 1). */
const quickGelu = unary((c, dy) => {
  const alpha = scalarLike(c, floatAttribute(c.node, "alpha", 1.702));
  const s = c.g.op("Sigmoid", [multiply(c, input(c), alpha)]);
  const curve = multiply(c, multiply(c, output(c), c.g.op("Sub", [scalarLike(c, 1), s])), alpha);
  return multiply(c, dy, c.g.op("Add", [s, curve]));
});

export const activationRules: Rules = {
  Relu: relu,
  LeakyRelu: leakyRelu,
  Elu: elu,
  Clip: clip,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Sigmoid: sigmoid,
  Tanh: tanh,
  Gelu: gelu,
  QuickGelu: quickGelu,
  Softplus: unary((c, dy) => multiply(c, dy, c.g.op("Sigmoid", [input(c)]))),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
