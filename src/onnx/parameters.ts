/**
 * @file Which initialisers of a model are parameters (weights that training may change), as against constants of the
 * graph (axes, bounds, masks, tables of positions) and statistics (running means and variances).
 */

import { FlywheelError } from "../errors.ts";
import { learnedInputs } from "./learned.ts";
import type { Model, Node } from "./model.ts";
import type { TensorOf } from "./tensor.ts";

/** Names of the float32 initialisers that `nodes` (default: all) take for weights, perhaps rearranged; in order of use. */
export function parameterNames(model: Model, nodes: readonly Node[] = model.graph.nodes): readonly string[] {
  return [...new Set(nodes.flatMap(learnedInputs(model.graph)))];
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
