/**
 * @file Which initialisers of a model are parameters (weights that training may change), as against constants of the
 * graph (axes, bounds, epsilons) and statistics (running means and variances).
 */

import { FlywheelError } from "../errors.ts";
import { type Model, type Node, producersOf } from "./model.ts";
import type { TensorOf } from "./tensor.ts";

/** Input positions at which an operator takes weights. */
const weightInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  Gather: [0],
  Add: [0, 1],
  Mul: [0, 1],
};

/** Exporters put these between a weight and where it is used. */
const rearrangers: ReadonlySet<string> = new Set(["Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze"]);

/**
 * Names of the float32 initialisers that stand, perhaps transposed or reshaped, where an operator takes weights; in order
 * of use. Scalars are constants.
 */
export function parameterNames(model: Model): readonly string[] {
  const producers = producersOf(model.graph);
  const origin = (name: string): string => {
    const producer = producers.get(name);
    return producer && rearrangers.has(producer.opType) ? origin(producer.inputs[0] ?? "") : name;
  };
  const names = model.graph.nodes.flatMap((node) =>
    weightsOf(node)
      .map(origin)
      .filter((name) => isWeight(model, name)),
  );
  return [...new Set(names)];
}

function weightsOf(node: Node): readonly string[] {
  return (weightInputs[node.opType] ?? []).map((index) => node.inputs[index] ?? "");
}

function isWeight(model: Model, name: string): boolean {
  const value = model.graph.initialisers.get(name);
  return value?.dtype === "float32" && value.dims.length > 0;
}

/** Number of trainable numbers: all parameters, or those named. */
export function countParameters(model: Model, names: readonly string[] = parameterNames(model)): number {
  return names.reduce((sum, name) => sum + parameterOf(model, name).data.length, 0);
}

/** @throws FlywheelError `onnx_unknown_name` unless `name` is a float32 initialiser. */
export function parameterOf(model: Model, name: string): TensorOf<"float32"> {
  const value = model.graph.initialisers.get(name);
  if (value?.dtype === "float32") return value;
  throw new FlywheelError("onnx_unknown_name", `the model has no float32 initialiser "${name}"`, {
    hint: `it has: ${parameterNames(model).slice(0, 20).join(", ")}`,
  });
}

/** The model with some initialisers replaced. @throws FlywheelError `onnx_unknown_name`, `tensor_shape_mismatch`. */
export function withParameters(model: Model, values: ReadonlyMap<string, TensorOf<"float32">>): Model {
  for (const [name, { dims }] of values) {
    const current = parameterOf(model, name);
    if (current.dims.join() !== dims.join()) {
      throw new FlywheelError("tensor_shape_mismatch", `"${name}" is [${current.dims}], the new value [${dims}]`);
    }
  }
  const initialisers = new Map([...model.graph.initialisers, ...values]);
  return { ...model, graph: { ...model.graph, initialisers } };
}
