/**
 * @file Convolution. Its two adjoints are themselves convolutions, and which of several equivalent forms is fast depends
 * on the shapes and the machine. So the rule emits two operators of our own, `ConvInputGradient` and
 * `ConvWeightGradient` in the domain `flywheel`, and `lower/` replaces them by operators that ONNX Runtime has.
 */

import type { GraphBuilder, Value } from "../builder.ts";
import { type Geometry, geometryAttributes, geometryOf } from "../convolution-geometry.ts";
import {
  gradientOf,
  hasInput,
  input,
  inputDims,
  outputDims,
  ownDomain,
  type Rule,
  type RuleContext,
  type Rules,
  reduceSum,
  whenNeeded,
} from "./rule.ts";

export type ConvInputGradient = {
  /** `[N, O, ...out]` */
  readonly dy: Value;
  /** `[O, C / group, ...kernel]` */
  readonly weight: Value;
  readonly weightDims: readonly number[];
  /** `[N, C, ...in]`: the shape of the result. */
  readonly inputDims: readonly number[];
  readonly outputDims: readonly number[];
  readonly geometry: Geometry;
};

/** Emits the gradient of a convolution with respect to its input. */
export function convInputGradient(g: GraphBuilder, details: ConvInputGradient): Value {
  return g.op("ConvInputGradient", [details.dy, details.weight], attributesOf(details), { domain: ownDomain });
}

type Shapes = Pick<ConvInputGradient, "inputDims" | "weightDims" | "outputDims" | "geometry">;

function attributesOf(shapes: Shapes): Record<string, number | readonly number[]> {
  return {
    ...geometryAttributes(shapes.geometry),
    input_dims: shapes.inputDims,
    weight_dims: shapes.weightDims,
    output_dims: shapes.outputDims,
  };
}

function shapesOf(c: RuleContext): Shapes {
  const dims = { inputDims: inputDims(c), weightDims: inputDims(c, 1), outputDims: outputDims(c) };
  return { ...dims, geometry: geometryOf({ node: c.node, ...dims, kernel: dims.weightDims.slice(2) }) };
}

const conv: Rule = (c) => {
  const dy = gradientOf(c);
  const shapes = shapesOf(c);
  const spatial = shapes.weightDims.slice(2).map((_, axis) => axis + 2);
  return [
    whenNeeded(c, 0, () => convInputGradient(c.g, { dy, weight: input(c, 1), ...shapes })),
    whenNeeded(c, 1, () => c.g.op("ConvWeightGradient", [input(c), dy], attributesOf(shapes), { domain: ownDomain })),
    hasInput(c, 2) ? whenNeeded(c, 2, () => reduceSum(c.g, dy, [0, ...spatial], 0)) : undefined,
  ];
};

export const convolutionRules: Rules = { Conv: conv };
