/**
 * @file Lowering: replaces the operators that differentiation left abstract (domain `flywheel`), and those that a
 * training graph can run faster than as written, by operators that ONNX Runtime has. Results are the same up to rounding.
 */

import { createGraphBuilder, type GraphBuilder, type Value } from "../builder.ts";
import type { Geometry } from "../convolution-geometry.ts";
import type { Types } from "../infer-types.ts";
import { intAttribute, intsAttribute, type Model, type Node } from "../model.ts";
import { ownDomain } from "../rules/convolution.ts";
import { type ConvGradient, portableInputGradient, portableWeightGradient } from "./portable-convolution.ts";

export type LowerOptions = {
  readonly types: Types;
};

/** The same model in ONNX Runtime's operators only. Input, output and parameter names stay. */
export function lower(model: Model, options: LowerOptions): Model {
  const { graph } = model;
  const reserved = graph.nodes.flatMap((node) => node.outputs);
  const g = createGraphBuilder(graph.name, { from: { ...graph, nodes: [] }, reserved });
  const renamed = new Map<string, string>();
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((name) => renamed.get(name) ?? name) };
    const result = lowerNode(g, node, options);
    if (result === undefined) g.node(node);
    else renamed.set(node.outputs[0]!, result.name);
  }
  for (const { name, dtype, dims } of graph.outputs) g.output(name, { name: renamed.get(name) ?? name }, dtype, dims);
  return { ...g.build({ metadata: model.metadata, producer: model.producer }), irVersion: model.irVersion };
}

/** What replaces the node's only output, or `undefined` to keep the node. */
function lowerNode(g: GraphBuilder, node: Node, _: LowerOptions): Value | undefined {
  if (node.domain !== ownDomain) return undefined;
  const [first, second] = node.inputs.map((name) => ({ name })) as [Value, Value]; // both operators have two
  const gradient = convGradientOf(g, node);
  return node.opType === "ConvInputGradient"
    ? portableInputGradient(gradient, first, second)
    : portableWeightGradient(gradient, first, second);
}

function convGradientOf(g: GraphBuilder, node: Node): ConvGradient {
  const ints = (name: string): readonly number[] => intsAttribute(node, name, []);
  const kernel = ints("kernel_shape");
  const pads = ints("pads");
  const geometry: Geometry = {
    kernel,
    strides: ints("strides"),
    dilations: ints("dilations"),
    padBegins: pads.slice(0, kernel.length),
    padEnds: pads.slice(kernel.length),
    group: intAttribute(node, "group", 1),
  };
  return {
    g,
    geometry,
    inputDims: ints("input_dims"),
    weightDims: ints("weight_dims"),
    outputDims: ints("output_dims"),
  };
}
