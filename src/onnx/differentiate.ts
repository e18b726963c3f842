/**
 * @file Reverse-mode differentiation of ONNX graphs. Walks the nodes backwards from the values whose gradients are given;
 * each operator's rule (`rules/`) appends the nodes that turn gradients of its outputs into gradients of its inputs.
 * The result is ONNX again, so one session runs forward and backward.
 *
 * Griewank & Walther, Evaluating Derivatives, 2nd ed., ch. 3 (the adjoint of each elementary operation, summed over uses).
 */

import { FlywheelError } from "../errors.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import { describeNode, type Graph, type Node } from "./model.ts";
import { rules } from "./rules/index.ts";
import type { MutableTypes, RuleContext } from "./rules/rule.ts";

export type DifferentiateOptions = {
  /** The builder that already holds `graph`'s nodes; gradient nodes are appended to it. */
  readonly builder: GraphBuilder;
  readonly graph: Graph;
  /** Types of all values of `graph` (`inferTypes`). Gradients are added as they are made. */
  readonly types: MutableTypes;
  /** Gradient of the objective with respect to some of `graph`'s values, by value name. */
  readonly seeds: ReadonlyMap<string, Value>;
  /** Names of the values (parameters, inputs) to differentiate with respect to. */
  readonly withRespectTo: readonly string[];
};

/** Operators that have a rule, in alphabetical order. */
export function differentiableOperators(): readonly string[] {
  return Object.keys(rules).sort();
}

/**
 * Appends the backward pass.
 * @returns the gradient by name, each of its value's own shape; a name the objective does not depend on is absent.
 * @throws FlywheelError `onnx_no_gradient_rule` naming the operator, the node and the operators that have rules.
 */
export function differentiate(options: DifferentiateOptions): Map<string, Value> {
  const { builder, graph, types, seeds } = options;
  const active = activeValues(graph, options.withRespectTo, types);
  const parts = new Map<string, Value[]>([...seeds].map(([name, seed]) => [name, [seed]]));
  for (const node of graph.nodes.toReversed()) {
    if (!node.inputs.some((name) => active.has(name))) continue;
    const gradients = node.outputs.map((name) => total(builder, parts, name, types));
    if (gradients.every((gradient) => gradient === undefined)) continue;
    const context: RuleContext = { g: builder, node, graph, types, gradients, active };
    const results = ruleOf(node)(context);
    node.inputs.forEach((name, index) => {
      const gradient = results[index];
      if (gradient !== undefined && active.has(name)) parts.set(name, [...(parts.get(name) ?? []), gradient]);
    });
  }
  const found = options.withRespectTo.map((name) => [name, total(builder, parts, name, types)] as const);
  return new Map(found.filter((pair): pair is readonly [string, Value] => pair[1] !== undefined));
}

/** Floating-point values that depend on one of `roots`. */
function activeValues(graph: Graph, roots: readonly string[], types: MutableTypes): ReadonlySet<string> {
  const active = new Set(roots);
  for (const node of graph.nodes) {
    if (!node.inputs.some((name) => active.has(name))) continue;
    for (const name of node.outputs) if (isFloat(types, name)) active.add(name);
  }
  return active;
}

function isFloat(types: MutableTypes, name: string): boolean {
  const dtype = types.get(name)?.dtype;
  return dtype === "float32" || dtype === "float64" || dtype === "float16";
}

/** Sum of the gradients that have arrived at a value, kept as its single gradient. */
function total(
  builder: GraphBuilder,
  parts: Map<string, Value[]>,
  name: string,
  types: MutableTypes,
): Value | undefined {
  const arrived = parts.get(name);
  if (arrived === undefined) return undefined;
  const type = types.get(name);
  if (type) for (const part of arrived) types.set(part.name, type);
  // Pairwise Add: ONNX Runtime's Sum is slower for two, and three or more are rare.
  const sum = arrived.reduce((left, right) => builder.op("Add", [left, right], {}, { name: `grad/${name}` }));
  parts.set(name, [sum]);
  if (type) types.set(sum.name, type);
  return sum;
}

function ruleOf(node: Node) {
  const rule = node.domain === "" || node.domain === "com.microsoft" ? rules[node.opType] : undefined;
  if (rule) return rule;
  throw new FlywheelError("onnx_no_gradient_rule", `${describeNode(node)} cannot be differentiated`, {
    hint: `freeze everything before this node, or use operators that have rules: ${differentiableOperators().join(", ")}`,
  });
}
