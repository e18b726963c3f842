/** @file `Constant` nodes: values that no training changes, as against initialisers, among which the weights are. */

import type { Graph, Model, Node } from "./model.ts";
import { floats, type Tensor, tensor } from "./tensor.ts";

export function constantNode(name: string, value: Tensor): Node {
  const attributes = { value: { type: "tensor", value } } as const;
  return { opType: "Constant", domain: "", name, inputs: [], outputs: [name], attributes };
}

/** What a `Constant` node holds; `undefined` of any other node. */
export function constantOf(node: Node): Tensor | undefined {
  if (node.opType !== "Constant" || node.domain !== "") return undefined;
  const { value, value_float, value_floats, value_int, value_ints } = node.attributes;
  if (value?.type === "tensor") return value.value;
  if (value_float?.type === "float") return floats([value_float.value], []);
  if (value_floats?.type === "floats") return floats(value_floats.value);
  if (value_int?.type === "int") return tensor("int64", [], BigInt64Array.of(BigInt(value_int.value)));
  if (value_ints?.type === "ints")
    return tensor("int64", [value_ints.value.length], BigInt64Array.from(value_ints.value, BigInt));
  return undefined;
}

/**
 * The model with its constants as initialisers, where gradient rules and folding look for them. From here on nothing tells them
 * from weights.
 */
export function withConstantsAsInitialisers(model: Model): Model {
  const constants = model.graph.nodes.flatMap((node) => {
    const value = constantOf(node);
    return value ? [[node.outputs[0]!, value] as const] : [];
  });
  const nodes = model.graph.nodes.filter((node) => constantOf(node) === undefined);
  return {
    ...model,
    graph: { ...model.graph, nodes, initialisers: new Map([...model.graph.initialisers, ...constants]) },
  };
}

/** Some exporters (PaddlePaddle's) write weights as `Constant` nodes too. */
export function keepsWeightsInConstants({ nodes, initialisers }: Graph): boolean {
  const weighted = nodes.filter(({ opType }) => ["Conv", "Gemm", "MatMul"].includes(opType));
  const weights = new Set(weighted.flatMap(({ inputs }) => inputs));
  const isMatrix = (value: Tensor | undefined): boolean => value?.dtype === "float32" && value.dims.length > 1;
  if ([...initialisers].some(([name, value]) => weights.has(name) && isMatrix(value))) return false;
  return nodes.some((node) => weights.has(node.outputs[0] ?? "") && isMatrix(constantOf(node)));
}
