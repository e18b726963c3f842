/** @file Normalisations, with x̂ = (x − mean) / √(variance + ε) and y = scale · x̂ + bias. */

import type { Value } from "../builder.ts";
import { floatAttribute, intAttribute } from "../model.ts";
import { elementCount, floats } from "../tensor.ts";
import {
  gradientOf,
  hasInput,
  input,
  inputDims,
  output,
  positiveAxis,
  type Rule,
  type RuleContext,
  type Rules,
  reduceSum,
  reshape,
  scalar,
  typeOf,
  unbroadcast,
  whenNeeded,
} from "./rule.ts";

/** 1 / √(variance + ε) */
function inverseDeviation(c: RuleContext, variance: Value): Value {
  const epsilon = scalar(c, floatAttribute(c.node, "epsilon", 1e-5));
  return c.g.op("Reciprocal", [c.g.op("Sqrt", [c.g.op("Add", [variance, epsilon])])]);
}

/**
 * Pixels up to which a number per channel is repeated before it meets a map: ONNX Runtime calls a function for every stretch
 * of a tensor that meets one number, which on 2 × 2 pixels takes three times as long as the arithmetic.
 */
const SMALL_MAP = 64;

/** `[C]` so that it broadcasts against `[N, C, ...]`: as `[C, 1, ..., 1]`, or repeated over a small map's pixels. */
function perChannel(c: RuleContext, value: Value): Value {
  const { g } = c;
  const [, channels = 1, ...spatial] = inputDims(c);
  const pixels = elementCount(spatial);
  if (pixels === 1 || pixels > SMALL_MAP || typeOf(c, input(c)).dtype !== "float32") {
    return reshape(g, value, [channels, ...spatial.map(() => 1)]);
  }
  const ones = g.constant(floats(new Float32Array(pixels).fill(1), [1, pixels]));
  return reshape(g, g.op("MatMul", [reshape(g, value, [channels, 1]), ones]), [channels, ...spatial]);
}

const batchNormalisation: Rule = (c) => (intAttribute(c.node, "training_mode", 0) === 1 ? overBatch(c) : frozen(c));

/** All axes but the channels'. */
const batchAxes = (c: RuleContext): readonly number[] => inputDims(c).flatMap((_, axis) => (axis === 1 ? [] : [axis]));

/** Running statistics are constants, so each channel is just scaled and shifted. */
function frozen(c: RuleContext): readonly (Value | undefined)[] {
  const { g } = c;
  const dy = gradientOf(c);
  const inverse = inverseDeviation(c, input(c, 4));
  const axes = batchAxes(c);
  return [
    whenNeeded(c, 0, () => g.op("Mul", [dy, perChannel(c, g.op("Mul", [input(c, 1), inverse]))])),
    whenNeeded(c, 1, () => {
      const centred = g.op("Sub", [input(c), perChannel(c, input(c, 3))]);
      return g.op("Mul", [reduceSum(g, g.op("Mul", [dy, centred]), axes, 0), inverse]);
    }),
    whenNeeded(c, 2, () => reduceSum(g, dy, axes, 0)),
  ];
}

/**
 * Ioffe & Szegedy 2015, §3: dx = scale / σ · (dy − mean(dy) − x̂ · mean(dy · x̂)), means over the batch, per channel.
 */
function overBatch(c: RuleContext): readonly (Value | undefined)[] {
  const { g } = c;
  const dy = gradientOf(c);
  const axes = batchAxes(c);
  const [mean, variance] = batchMoments(c);
  const centred = g.op("Sub", [input(c), perChannel(c, mean)]);
  const inverse = inverseDeviation(c, variance);
  const dBias = reduceSum(g, dy, axes, 0);
  const dScale = g.op("Mul", [reduceSum(g, g.op("Mul", [dy, centred]), axes, 0), inverse]);
  return [whenNeeded(c, 0, () => batchInputGradient(c, { dy, centred, inverse, dBias, dScale })), dScale, dBias];
}

/** Mean and population variance of the batch, `[C]`: the operator's own outputs if momentum 0 leaves them unblended. */
function batchMoments(c: RuleContext): readonly [Value, Value] {
  const { g, node } = c;
  if (node.outputs.length === 3 && floatAttribute(node, "momentum", 0.9) === 0) return [output(c, 1), output(c, 2)];
  const mean = (value: Value): Value => g.op("ReduceMean", [value, g.shape(batchAxes(c))], { keepdims: 0 });
  const centre = mean(input(c));
  const centred = g.op("Sub", [input(c), perChannel(c, centre)]);
  return [centre, mean(g.op("Mul", [centred, centred]))];
}

type BatchTerms = Readonly<Record<"dy" | "centred" | "inverse" | "dBias" | "dScale", Value>>;

function batchInputGradient(c: RuleContext, { dy, centred, inverse, dBias, dScale }: BatchTerms): Value {
  const { g } = c;
  const share = scalar(c, 1 / elementCount(batchAxes(c).map((axis) => inputDims(c)[axis]!)));
  const meanDy = perChannel(c, g.op("Mul", [dBias, share]));
  const slope = perChannel(c, g.op("Mul", [g.op("Mul", [dScale, inverse]), share]));
  const inner = g.op("Sub", [g.op("Sub", [dy, meanDy]), g.op("Mul", [centred, slope])]);
  return g.op("Mul", [inner, perChannel(c, g.op("Mul", [input(c, 1), inverse]))]);
}

/** Ba, Kiros & Hinton 2016: as batch normalisation, but over the last axes of each row. */
const layerNormalisation: Rule = (c) => {
  const { g } = c;
  const dims = inputDims(c);
  const axis = positiveAxis(intAttribute(c.node, "axis", -1), dims.length);
  const axes = dims.flatMap((_, each) => (each >= axis ? [each] : []));
  const mean = (value: Value): Value => g.op("ReduceMean", [value, g.shape(axes)], { keepdims: 1 });
  const dy = gradientOf(c);
  const centred = g.op("Sub", [input(c), mean(input(c))]);
  const inverse = inverseDeviation(c, mean(g.op("Mul", [centred, centred])));
  const normal = g.op("Mul", [centred, inverse]);
  return [
    whenNeeded(c, 0, () => {
      const scaled = g.op("Mul", [dy, input(c, 1)]);
      const along = g.op("Mul", [normal, mean(g.op("Mul", [scaled, normal]))]);
      return g.op("Mul", [g.op("Sub", [g.op("Sub", [scaled, mean(scaled)]), along]), inverse]);
    }),
    whenNeeded(c, 1, () => unbroadcast(g, g.op("Mul", [dy, normal]), dims, inputDims(c, 1))),
    hasInput(c, 2) ? whenNeeded(c, 2, () => unbroadcast(g, dy, dims, inputDims(c, 2))) : undefined,
  ];
};

export const normalisationRules: Rules = {
  BatchNormalization: batchNormalisation,
  LayerNormalization: layerNormalisation,
};
