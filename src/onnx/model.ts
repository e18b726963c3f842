/**
 * @file An ONNX model in memory: plain readonly values, one to one with what the file says and nothing that
 * depends on protobuf. `proto.ts` reads and writes it, `builder.ts` makes it, everything else here rewrites it.
 *
 * An empty string among a node's inputs means "absent", as in ONNX itself.
 */

import { FlywheelError } from "../errors.ts";
import type { DataType, Tensor } from "./tensor.ts";

/** A node's attribute. Tagged, because in JavaScript `1` does not say whether it is ONNX's INT or FLOAT. */
export type Attribute =
  | { readonly type: "int"; readonly value: number }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "ints"; readonly value: readonly number[] }
  | { readonly type: "floats"; readonly value: readonly number[] }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "tensor"; readonly value: Tensor }
  | { readonly type: "graph"; readonly value: Graph };

export type Attributes = Readonly<Record<string, Attribute>>;

export type Node = {
  readonly opType: string;
  /** `""` is the ONNX standard domain. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
};

/** A fixed size, a symbol such as `"N"`, or `undefined` when the file says nothing. */
export type Dimension = number | string | undefined;

/**
 * A graph input or output. `dims` is `undefined` when even the rank is unknown, `dtype` when nothing is declared at all
 * (allowed for outputs: ONNX Runtime infers both).
 */
export type ValueInfo = {
  readonly name: string;
  readonly dtype: DataType | undefined;
  readonly dims: readonly Dimension[] | undefined;
};

/** Nodes are in topological order. `inputs` holds true inputs only: initialisers are not repeated there. */
export type Graph = {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initialisers: ReadonlyMap<string, Tensor>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
};

export type Model = {
  readonly graph: Graph;
  /** Operator-set version by domain; `""` is the standard one. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly irVersion: number;
  readonly producer: string;
  /** `metadata_props`: labels, preprocessing, provenance. */
  readonly metadata: Readonly<Record<string, string>>;
};

/** Fully known type of one value. */
export type TensorType = { readonly dtype: DataType; readonly dims: readonly number[] };

/** An int attribute, or its default when absent. */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const found = node.attributes[name];
  return found?.type === "int" ? found.value : fallback;
}

/** A float attribute, or its default when absent. */
export function floatAttribute(node: Node, name: string, fallback: number): number {
  const found = node.attributes[name];
  return found?.type === "float" ? found.value : fallback;
}

/** An ints attribute, or its default when absent. */
export function intsAttribute<T>(node: Node, name: string, fallback: T): readonly number[] | T {
  const found = node.attributes[name];
  return found?.type === "ints" ? found.value : fallback;
}

/** A string attribute, or its default when absent. */
export function stringAttribute(node: Node, name: string, fallback: string): string {
  const found = node.attributes[name];
  return found?.type === "string" ? found.value : fallback;
}

/** How errors name a node: `Conv "stem" → "t12"`. */
export function describeNode(node: Node): string {
  const operator = node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
  return `${operator}${node.name === "" ? "" : ` "${node.name}"`} → "${node.outputs[0] ?? ""}"`;
}

/** Which node makes each value. */
export function producersOf(graph: Graph): ReadonlyMap<string, Node> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
}

/** Which nodes read each value. */
export function consumersOf(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) consumers.set(input, [...(consumers.get(input) ?? []), node]);
  }
  return consumers;
}

/** The one input of a model that has just one. @throws FlywheelError `onnx_unexpected_interface`. */
export function onlyInput(model: Model): ValueInfo {
  return only(model.graph.inputs, "input", model);
}

/** The one output of a model that has just one. @throws FlywheelError `onnx_unexpected_interface`. */
export function onlyOutput(model: Model): ValueInfo {
  return only(model.graph.outputs, "output", model);
}

function only(values: readonly ValueInfo[], what: string, model: Model): ValueInfo {
  const [first] = values;
  if (first !== undefined && values.length === 1) return first;
  const names = values.map((value) => value.name).join(", ");
  throw new FlywheelError(
    "onnx_unexpected_interface",
    `model "${model.graph.name}" has ${values.length} ${what}s (${names}), expected exactly one`,
    { hint: `name the ${what} to use, or cut the graph with cutAt() first` },
  );
}
