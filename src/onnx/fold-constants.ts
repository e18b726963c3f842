/**
 * @file Evaluating, once and for all, what does not depend on inputs or parameters: exporters compute shapes, split sizes
 * and bounds with long chains of nodes, where gradient rules want to see a constant.
 */

import { FlywheelError } from "../errors.ts";
import type { Graph, Model, ValueInfo } from "./model.ts";
import { prune } from "./prune.ts";
import { openSession } from "./session.ts";
import { elementCount, elementSizeBytes, type Tensor, tensorFromBytes } from "./tensor.ts";

/** Their result depends on the shape of their input alone. */
const shapeOperators: ReadonlySet<string> = new Set(["Shape", "Size"]);
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
  for (const node of graph.nodes) {
    const isConstant = node.inputs.every((name) => foldable.has(name)) && !randomOperators.has(node.opType);
    if (isConstant || shapeOperators.has(node.opType)) for (const name of node.outputs) foldable.add(name);
  }
  return foldable;
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
