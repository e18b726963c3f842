/**
 * @file The type and shape of every value of a graph, inferred by ONNX Runtime itself: the graph is opened with all its
 * values exposed as outputs, and what the session says of them is read back. Nothing is executed, and whatever operator
 * the runtime can run, we can type.
 */

import { FlywheelError } from "../errors.ts";
import type { Dimension, Model, TensorType, ValueInfo } from "./model.ts";
import { openSession, type Port } from "./session.ts";

export type Types = ReadonlyMap<string, TensorType>;

/** Sizes for symbolic dimensions (`{ N: 32 }`), or whole shapes by input name (`{ images: [32, 3, 224, 224] }`). */
export type Bindings = Readonly<Record<string, number | readonly number[]>>;

/**
 * Types of all values: inputs, initialisers, and what each node makes.
 * @throws FlywheelError `onnx_unknown_shape` when a dimension stays open under `bindings`.
 */
export async function inferTypes(model: Model, bindings: Bindings): Promise<Types> {
  const ports = await inferPorts(model, bindings);
  const constants = [...model.graph.initialisers].map(([name, { dtype, dims }]) => [name, { dtype, dims }] as const);
  return new Map([...constants, ...ports.map((port) => [port.name, known(port)] as const)]);
}

/** As `inferTypes`, of inputs and node outputs only, leaving symbols where sizes are open. */
export async function inferPorts(model: Model, bindings: Bindings = {}): Promise<readonly Port[]> {
  const { graph } = model;
  const inputs = graph.inputs.map((input) => bind(input, bindings));
  const made = graph.nodes.flatMap((node) => node.outputs).filter((name) => name !== "");
  const outputs = made.map((name): ValueInfo => ({ name, dtype: undefined, dims: undefined }));
  const exposed = { ...model, graph: { ...graph, inputs, outputs } };
  await using session = await openSession(exposed, {
    threads: 1,
    optimisation: "disabled",
    config: { "session.disable_prepacking": "1" },
  });
  return [...session.inputs, ...session.outputs];
}

/** The model for inputs of these sizes; what it says of its outputs' sizes is left for ONNX Runtime to infer. */
export function withSizes(model: Model, bindings: Bindings): Model {
  const inputs = model.graph.inputs.map((input) => bind(input, bindings));
  const outputs = model.graph.outputs.map(({ name }) => ({ name, dtype: undefined, dims: undefined }));
  return { ...model, graph: { ...model.graph, inputs, outputs } };
}

/** The input with its symbols replaced. */
export function bind(input: ValueInfo, bindings: Bindings): ValueInfo {
  const whole = bindings[input.name];
  if (Array.isArray(whole)) return { ...input, dims: whole };
  return { ...input, dims: input.dims?.map((dim) => bindDimension(dim, bindings)) };
}

function bindDimension(dimension: Dimension, bindings: Bindings): Dimension {
  const bound = typeof dimension === "string" ? bindings[dimension] : undefined;
  return typeof bound === "number" ? bound : dimension;
}

function known({ name, dtype, dims }: Port): TensorType {
  const open = dims.find((dim) => typeof dim !== "number");
  if (open === undefined && dims.every((dim) => typeof dim === "number")) return { dtype, dims };
  throw new FlywheelError("onnx_unknown_shape", `dimension "${open ?? "?"}" of "${name}" is not known`, {
    hint: "bind every symbolic input dimension; shapes that depend on data cannot be trained",
  });
}
