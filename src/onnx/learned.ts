/**
 * @file Which initialisers of a file were learned. ONNX does not say: weights, running statistics, rotary tables, masks and
 * attention's scale all are initialisers. So the rule reads where a value stands and how it is called
 * (docs/networks.md, "What is a weight"):
 *
 * 1. A `Constant` node is none. Notes of PyTorch's exporter have turned into such nodes what was no parameter.
 * 2. Where an operator takes nothing but weights (a convolution's kernel, a normalisation's scale, an embedding's table), a value
 *    is one. A matrix counts where it meets data: the frequencies of rotary positions only ever meet positions.
 * 3. Where operators take anything (`Add`, `Mul`), a value is one if it meets data, has more than one number (or a parameter's
 *    name), and is no mask. Elsewhere (`Concat`, `Expand`, `Sub`) only if it has a parameter's name.
 */

import { type Graph, type Node, producersOf } from "./model.ts";
import type { Tensor, TensorOf } from "./tensor.ts";

/** Operators and positions that take nothing but weights. */
const weightInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
  LayerNormalization: [1, 2],
  RMSNormalization: [1],
  PRelu: [1],
};

/** Products, of which either side may be data. */
const products: ReadonlySet<string> = new Set(["MatMul", "Gemm"]);

/** Whose operands may be anything; those in which only a name tells. */
const arithmetic: ReadonlySet<string> = new Set(["Add", "Mul"]);
const byNameAlone: ReadonlySet<string> = new Set(["Sub", "Div", "Concat", "Expand", "Tile", "Where"]);

/** Exporters put these between a weight and where it is used. */
const rearrangers: ReadonlySet<string> = new Set(["Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze"]);

/** Names as PyTorch gives to parameters and buffers: `cls_token`, `blocks.0.attn.scale`. */
const moduleName = /^[A-Za-z_]\w*(\.\w+)*$/;
const dottedName = /^[A-Za-z_]\w*(\.\w+)+$/;
/** Names that exporters and `createGraphBuilder` give to constants. */
const constantName = /^(val_\d+|_?(c_)?lifted_tensor\w*|scalar_tensor\w*|const(ant)?([._]\d+)?|onnx::.*)$/i;
/** Buffers that live beside parameters: tables of positions and masks. */
const bufferName =
  /^\w*mask$|(^|_)(freqs?(_|$)|(inv_freq|cos|sin|(cos|sin)_cached|pos_(cos|sin)|mask|anchors?|grid)$)/i;
const isBuffer = (name: string): boolean => bufferName.test(name.slice(name.lastIndexOf(".") + 1));
const weightName = /\.(weight|bias)$/;

/** Reading a node's operands against what is known of the whole graph. */
export function learnedInputs(graph: Graph): (node: Node) => readonly string[] {
  const producers = producersOf(graph);
  const origin = (name: string): string => {
    const producer = producers.get(name);
    return producer && rearrangers.has(producer.opType) ? origin(producer.inputs[0] ?? "") : name;
  };
  const known: Known = { graph, origin, data: dataValues(graph, origin) };
  return (node) =>
    node.inputs.flatMap((name, index) => {
      const found = origin(name);
      return isLearnedAt(known, node, index, found) ? [found] : [];
    });
}

type Known = {
  readonly graph: Graph;
  readonly origin: (name: string) => string;
  readonly data: ReadonlySet<string>;
};

function isLearnedAt(known: Known, node: Node, index: number, name: string): boolean {
  const value = known.graph.initialisers.get(name);
  if (value?.dtype !== "float32" || isBuffer(name)) return false;
  const { opType } = node;
  if (weightInputs[opType]?.includes(index)) return value.dims.length > 0;
  if (products.has(opType)) return value.dims.length > 0 && (weightName.test(name) || meets(known, node, index));
  if (opType === "Gather") return index === 0 && value.dims.length > 1;
  if (arithmetic.has(opType)) return isTerm(name, value) && meets(known, node, index, value.data.length <= CHANNELS);
  if (byNameAlone.has(opType)) return isNamed(name) && value.data.length > 1 && !isMask(value);
  return opType === "LayerNormalization" && index === 0 && isNamed(name);
}

const isNamed = (name: string): boolean => moduleName.test(name) && !constantName.test(name);

function isTerm(name: string, value: TensorOf<"float32">): boolean {
  if (value.data.length === 1) return dottedName.test(name) && isNamed(name);
  return !(constantName.test(name) && !name.startsWith("onnx::")) && !isMask(value);
}

/** Of a picture: so many numbers, with a graph input as it came, say how its pixels are normalised. */
const CHANNELS = 4;

/** Whether another operand carries data, perhaps not just as it came in. */
function meets({ graph, origin, data }: Known, { inputs }: Node, index: number, isInputExcepted = false): boolean {
  const isInput = (name: string): boolean => graph.inputs.some((input) => input.name === name);
  return inputs.some((name, other) => {
    const found = origin(name);
    return other !== index && data.has(found) && !(isInputExcepted && isInput(found));
  });
}

/** Weighs as much as to forbid what it is added to. */
const FORBIDS = -50;

/** Zeros, and one number so low that attention never looks there. */
function isMask({ data }: TensorOf<"float32">): boolean {
  const low = data.reduce((least, each) => Math.min(least, each), 0);
  return low <= FORBIDS && data.every((each) => each === 0 || each === low);
}

const shapeOperators: ReadonlySet<string> = new Set(["Shape", "Size"]);

/** Values that depend on real numbers that come in, or on a table that is looked up: not on shapes, positions or masks alone. */
function dataValues(graph: Graph, origin: (name: string) => string): ReadonlySet<string> {
  const isReal = (dtype: string | undefined): boolean => dtype?.includes("float") ?? false;
  const data = new Set(graph.inputs.filter(({ dtype }) => isReal(dtype)).map(({ name }) => name));
  const constant = (name = ""): Tensor | undefined => graph.initialisers.get(origin(name));
  for (const node of graph.nodes) {
    const isLookedUp = node.opType === "Gather" && isTable(constant(node.inputs[0]));
    const isNormal = node.opType === "LayerNormalization" && constant(node.inputs[1]) !== undefined;
    const carries = !shapeOperators.has(node.opType) && node.inputs.some((name) => data.has(name));
    if (isLookedUp || isNormal || carries) for (const name of node.outputs) data.add(name);
  }
  return data;
}

const isTable = (value: Tensor | undefined): boolean => value?.dtype === "float32" && value.dims.length > 1;
