/**
 * @file Frozen batch normalisation disappears into the convolution before it: scale · (Wx + b − mean) / σ + bias is a
 * convolution with other weights. Training then has neither its forward nor its backward pass to pay for.
 */

import { consumersOf, floatAttribute, type Graph, type Model, type Node, producersOf } from "./model.ts";
import { floats, type TensorOf } from "./tensor.ts";

type Floats = TensorOf<"float32">;

/**
 * Folds every inference-mode BatchNormalization that follows a Conv alone. Weights keep their names; a convolution without
 * a bias gets one called after its weight, `….bias`. Others stay.
 */
export function foldBatchNormalisation(model: Model): Model {
  const { graph } = model;
  const consumers = consumersOf(graph);
  const producers = producersOf(graph);
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const initialisers = new Map(graph.initialisers);
  const replaced = new Map<Node, Node | undefined>();
  for (const norm of graph.nodes.filter((node) => node.opType === "BatchNormalization")) {
    const conv = producers.get(norm.inputs[0]!);
    const isAlone = consumers.get(norm.inputs[0]!)?.length === 1 && !outputs.has(norm.inputs[0]!);
    const isWeightShared = consumers.get(conv?.inputs[1] ?? "")?.length !== 1;
    if (conv?.opType !== "Conv" || !isAlone || isWeightShared) continue;
    const folded = foldInto(graph, conv, norm);
    if (!folded) continue;
    initialisers.set(conv.inputs[1]!, folded.weight).set(folded.biasName, folded.bias);
    replaced.set(conv, {
      ...conv,
      inputs: [conv.inputs[0]!, conv.inputs[1]!, folded.biasName],
      outputs: [norm.outputs[0]!],
    });
    replaced.set(norm, undefined);
  }
  const nodes = graph.nodes.flatMap((node) => (replaced.has(node) ? (replaced.get(node) ?? []) : node));
  const used = new Set([...nodes.flatMap((node) => node.inputs), ...outputs]);
  const kept = new Map([...initialisers].filter(([name]) => used.has(name)));
  return { ...model, graph: { ...graph, nodes, initialisers: kept } };
}

type Folded = { readonly weight: Floats; readonly bias: Floats; readonly biasName: string };

function foldInto(graph: Graph, conv: Node, norm: Node): Folded | undefined {
  const constant = (name: string | undefined): Floats | undefined => {
    const value = graph.initialisers.get(name ?? "");
    return value?.dtype === "float32" ? value : undefined;
  };
  const weight = constant(conv.inputs[1]);
  const [scale, shift, mean, variance] = norm.inputs.slice(1).map(constant);
  if (!weight || !scale || !shift || !mean || !variance) return undefined;
  const oldBias = constant(conv.inputs[2]);
  const epsilon = floatAttribute(norm, "epsilon", 1e-5);
  const factor = Float64Array.from(scale.data, (value, c) => value / Math.sqrt(variance.data[c]! + epsilon));
  const size = weight.data.length / factor.length;
  return {
    weight: floats(
      weight.data.map((value, index) => value * factor[Math.floor(index / size)]!),
      weight.dims,
    ),
    bias: floats(mean.data.map((value, c) => shift.data[c]! + ((oldBias?.data[c] ?? 0) - value) * factor[c]!)),
    biasName: conv.inputs[2] || biasNameOf(graph, conv.inputs[1]!),
  };
}

function biasNameOf(graph: Graph, weightName: string): string {
  const wanted = `${weightName.replace(/\.weight$/, "")}.bias`;
  return graph.initialisers.has(wanted) ? `${weightName}.folded_bias` : wanted;
}
