/**
 * @file Evaluating, once and for all, what does not depend on inputs or parameters: exporters compute shapes, split sizes
 * and bounds with long chains of nodes, where gradient rules want to see a constant.
 */

import { FlywheelError } from "../errors.ts";
import type { Graph, Model, Node, ValueInfo } from "./model.ts";
import { prune } from "./prune.ts";
import { openSession } from "./session.ts";
import { elementCount, elementSizeBytes, type Tensor, tensorFromBytes } from "./tensor.ts";

/** Their result depends on the shape of their input alone. */
const shapeOperators: ReadonlySet<string> = new Set(["Shape", "Size"]);
/** How large their results are depends on the numbers that come in. */
const countingOperators: ReadonlySet<string> = new Set([
  "NonZero",
  "Unique",
  "NonMaxSuppression",
  "Compress",
  "If",
  "Loop",
  "Scan",
]);
/** Inputs whose numbers say how large the result is. */
const sizeInputs: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Tile: [1],
  Pad: [1, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Unsqueeze: [1],
  ConstantOfShape: [0],
  Range: [0, 1, 2],
  Resize: [1, 2, 3],
  Upsample: [1],
  TopK: [1],
  OneHot: [1],
  CenterCropPad: [1],
  ReduceSum: [1],
  ReduceMean: [1],
  ReduceMax: [1],
  ReduceMin: [1],
  ReduceL2: [1],
};
const randomOperators: ReadonlySet<string> = new Set([
  "RandomNormal",
  "RandomUniform",
  "RandomNormalLike",
  "Bernoulli",
]);

/**
 * The same model with constant parts replaced by initialisers. Input sizes must be bound.
 * @param isVariable whether an initialiser may change later, so that what depends on it must stay
 */
export async function foldConstants(model: Model, isVariable: (name: string) => boolean): Promise<Model> {
  const { graph } = model;
  const foldable = foldableValues(graph, isVariable);
  const wanted = boundary(graph, foldable);
  if (wanted.length === 0) return model;
  const values = await evaluate(model, wanted);
  const nodes = graph.nodes.filter((node) => !node.outputs.every((name) => foldable.has(name)));
  const initialisers = new Map([...graph.initialisers, ...Object.entries(values)]);
  const outputs = graph.outputs.map((output) => output.name);
  return { ...model, graph: prune({ ...graph, nodes, initialisers }, outputs) };
}

function foldableValues(graph: Graph, isVariable: (name: string) => boolean): ReadonlySet<string> {
  const foldable = new Set([...graph.initialisers.keys(), ""].filter((name) => !isVariable(name)));
  const open = new Set<string>(); // values as large as the numbers of others say
  for (const node of graph.nodes) {
    const isConstant = node.inputs.every((name) => foldable.has(name)) && !randomOperators.has(node.opType);
    const isOpen = !isConstant && (node.inputs.some((name) => open.has(name)) || isSizedByData(node, foldable));
    const isShape = shapeOperators.has(node.opType) && !isOpen;
    for (const name of node.outputs) {
      if (isConstant || isShape) foldable.add(name);
      if (isOpen) open.add(name);
    }
  }
  return foldable;
}

function isSizedByData({ opType, inputs }: Node, foldable: ReadonlySet<string>): boolean {
  const sizes = (sizeInputs[opType] ?? []).map((index) => inputs[index] ?? "");
  return countingOperators.has(opType) || sizes.some((name) => !foldable.has(name));
}

/** Values made by foldable nodes and read by others. */
function boundary(graph: Graph, foldable: ReadonlySet<string>): readonly string[] {
  const made = new Set(graph.nodes.flatMap((node) => node.outputs).filter((name) => name !== "" && foldable.has(name)));
  const read = graph.nodes
    .filter((node) => !node.outputs.every((name) => foldable.has(name)))
    .flatMap((node) => node.inputs);
  return [...new Set([...read, ...graph.outputs.map((output) => output.name)])].filter((name) => made.has(name));
}

async function evaluate(model: Model, names: readonly string[]): Promise<Record<string, Tensor>> {
  const outputs = names.map((name): ValueInfo => ({ name, dtype: undefined, dims: undefined }));
  const graph = { ...prune(model.graph, names, true), outputs };
  await using session = await openSession({ ...model, graph }, { threads: 1, optimisation: "disabled" });
  return await session.run(Object.fromEntries(graph.inputs.map((input) => [input.name, zeros(input)])));
}

/** Shapes do not depend on values, so any value will do. */
function zeros({ name, dtype, dims }: ValueInfo): Tensor {
  const sizes = dims?.filter((dim) => typeof dim === "number") ?? [];
  if (!dtype || dtype === "string" || sizes.length !== dims?.length) {
    throw new FlywheelError("onnx_unknown_shape", `the size of input "${name}" is not known`);
  }
  return tensorFromBytes(dtype, sizes, new Uint8Array(elementCount(sizes) * elementSizeBytes(dtype)));
}
