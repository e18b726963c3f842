/**
 * @file Lowering: replaces the operators that differentiation left abstract (domain `flywheel`), and those that a
 * training graph can run faster than as written, by operators that ONNX Runtime has. Results are the same up to rounding.
 */

import { createGraphBuilder, type Value } from "../builder.ts";
import { type Geometry, geometryOf } from "../convolution-geometry.ts";
import type { Types } from "../infer-types.ts";
import { consumersOf, type Graph, intAttribute, intsAttribute, type Model, type Node } from "../model.ts";
import { prune } from "../prune.ts";
import { ownDomain } from "../rules/rule.ts";
import { numbersOf } from "../tensor.ts";
import { broadcastInsteadOfExpanding } from "./broadcast.ts";
import { depthwiseStrategy, isBlockedDepthwise } from "./depthwise.ts";
import { hardSwish, hardSwishGradient } from "./hard-swish.ts";
import type { ConvShapes, ConvStrategy, ForwardOperands, FusedActivation, Lowering, Target } from "./lowering.ts";
import { isDense, patchesStrategy } from "./patches.ts";
import { isPointwise, pointwiseStrategy } from "./pointwise.ts";
import { portableInputGradient, portableWeightGradient } from "./portable-convolution.ts";

export type LowerOptions = {
  readonly types: Types;
  readonly target: Target;
};

/** The same model in ONNX Runtime's operators only. Input, output and parameter names stay. */
export function lower(model: Model, { types, target }: LowerOptions): Model {
  const graph = broadcastInsteadOfExpanding(model.graph, types);
  const reserved = graph.nodes.flatMap((node) => node.outputs);
  const g = createGraphBuilder(graph.name, { from: { ...graph, nodes: [] }, reserved });
  const renamed = new Map<string, string>();
  const emitted = new Map<string, Value>();
  const lowering: Lowering = { g, target, once: (key, make) => emitted.get(key) ?? remember(emitted, key, make()) };
  for (const { node, activation } of withFusedActivations(graph)) {
    const current = { ...node, inputs: node.inputs.map((name) => renamed.get(name) ?? name) };
    const context = { original: node, types, activation: activation?.fused, initialisers: graph.initialisers };
    const result = lowerNode(lowering, current, context);
    if (result) renamed.set((activation?.node ?? node).outputs[0]!, result.name);
    else for (const kept of [current, ...(activation ? [activation.node] : [])]) g.node(kept);
  }
  for (const { name, dtype, dims } of graph.outputs) g.output(name, { name: renamed.get(name) ?? name }, dtype, dims);
  const built = g.build({ metadata: model.metadata, producer: model.producer });
  const outputs = built.graph.outputs.map((output) => output.name);
  return { ...built, irVersion: model.irVersion, graph: prune(built.graph, outputs) };
}

function remember(emitted: Map<string, Value>, key: string, value: Value): Value {
  emitted.set(key, value);
  return value;
}

type Activation = { readonly node: Node; readonly fused: FusedActivation };

/** Nodes in order; an activation that alone reads a convolution is taken out and travels with it. */
function withFusedActivations(graph: Graph): readonly { node: Node; activation: Activation | undefined }[] {
  const consumers = consumersOf(graph);
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const taken = new Set<Node>();
  const paired = graph.nodes.map((node) => {
    const [only, ...others] =
      node.opType === "Conv" && !outputs.has(node.outputs[0]!) ? (consumers.get(node.outputs[0]!) ?? []) : [];
    const fused = only && others.length === 0 ? fusedActivation(only, graph.initialisers) : undefined;
    if (!only || !fused) return { node, activation: undefined };
    taken.add(only);
    return { node, activation: { node: only, fused } };
  });
  return paired.filter(({ node }) => !taken.has(node));
}

function fusedActivation(node: Node, initialisers: Model["graph"]["initialisers"]): FusedActivation | undefined {
  if (node.opType === "Relu") return { name: "Relu", parameters: [] };
  if (node.opType !== "Clip") return undefined;
  const bounds = node.inputs.slice(1).map((name) => initialisers.get(name));
  if (bounds.length !== 2 || bounds.some((bound) => bound === undefined)) return undefined;
  return { name: "Clip", parameters: bounds.map((bound) => numbersOf(bound!)[0]!) };
}

type NodeContext = {
  /** The node under its original input names, by which types are known. */
  readonly original: Node;
  readonly types: Types;
  readonly activation: FusedActivation | undefined;
  readonly initialisers: Graph["initialisers"];
};

/** What replaces the node's only output, or `undefined` to keep the node. */
function lowerNode(l: Lowering, node: Node, context: NodeContext): Value | undefined {
  const operator = node.domain === "" || node.domain === ownDomain ? node.opType : "";
  const values = node.inputs.map((name) => (name === "" ? undefined : { name }));
  const [first, second, third] = values as [Value, Value, Value | undefined]; // all that are lowered have a first
  switch (operator) {
    case "HardSwish":
      return isFloat32(context, 0) ? hardSwish(l, first) : undefined;
    case "HardSwishGradient":
      return hardSwishGradient(l, intsAttribute(node, "dims", []), { dy: first, x: second });
    case "ConvInputGradient":
    case "ConvWeightGradient":
      return lowerConvGradient(l, node, first, second);
    case "Conv":
      return isFloat32(context, 0) ? lowerConv(l, context, { x: first, weight: second, bias: third }) : undefined;
    default:
      return undefined;
  }
}

function isFloat32({ original, types }: NodeContext, index: number): boolean {
  return types.get(original.inputs[index] ?? "")?.dtype === "float32";
}

/** Convolutions with constant weights are left to the runtime, which lays out whole frozen stages in blocks by itself. */
function lowerConv(
  l: Lowering,
  context: NodeContext,
  operands: Omit<ForwardOperands, "activation">,
): Value | undefined {
  if (context.initialisers.has(context.original.inputs[1] ?? "")) return undefined;
  const shapes = forwardShapes(context);
  const { activation } = context;
  return shapes && strategyOf(shapes, l.target)?.forward?.(l, shapes, { ...operands, activation });
}

function lowerConvGradient(l: Lowering, node: Node, first: Value, second: Value): Value {
  const shapes = gradientShapes(node);
  const strategy = strategyOf(shapes, l.target);
  const portable = { g: l.g, ...shapes };
  if (node.opType === "ConvInputGradient") {
    const fast = strategy?.inputGradient(l, shapes, { dy: first, weight: second });
    return fast ?? portableInputGradient(portable, first, second);
  }
  const fast = strategy?.weightGradient(l, shapes, { x: first, dy: second });
  return fast ?? portableWeightGradient(portable, first, second);
}

/** The fast way for a geometry on this machine, if there is one. */
function strategyOf(shapes: ConvShapes, { blockSize }: Target): ConvStrategy | undefined {
  if (isPointwise(shapes)) return pointwiseStrategy(shapes);
  if (blockSize !== undefined && isBlockedDepthwise(shapes)) return depthwiseStrategy(blockSize);
  return isDense(shapes) ? patchesStrategy(blockSize) : undefined;
}

/** Shapes of a forward convolution, where all are known. */
function forwardShapes({ original, types }: NodeContext): ConvShapes | undefined {
  const names = [original.inputs[0], original.inputs[1], original.outputs[0]];
  const [inputDims, weightDims, outputDims] = names.map((name) => types.get(name ?? "")?.dims);
  if (!inputDims || !weightDims || !outputDims) return undefined;
  const dims = { inputDims, weightDims, outputDims };
  return { ...dims, geometry: geometryOf({ node: original, ...dims, kernel: weightDims.slice(2) }) };
}

function gradientShapes(node: Node): ConvShapes {
  const ints = (name: string): readonly number[] => intsAttribute(node, name, []);
  const [kernel, pads] = [ints("kernel_shape"), ints("pads")];
  const geometry: Geometry = {
    kernel,
    strides: ints("strides"),
    dilations: ints("dilations"),
    padBegins: pads.slice(0, kernel.length),
    padEnds: pads.slice(kernel.length),
    group: intAttribute(node, "group", 1),
  };
  return { geometry, inputDims: ints("input_dims"), weightDims: ints("weight_dims"), outputDims: ints("output_dims") };
}
