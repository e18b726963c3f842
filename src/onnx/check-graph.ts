/**
 * @file What must hold of any graph before we rewrite it: every value is made once, and before it is read. A truncated
 * file often still parses as protobuf; this is what catches it.
 */

import { FlywheelError } from "../errors.ts";
import { describeNode, type Graph, type Node } from "./model.ts";

/** @throws FlywheelError `onnx_corrupt` naming the value that is missing, repeated or read too early. */
export function checkGraph(graph: Graph, outer: ReadonlySet<string> = new Set()): void {
  const known = new Set([...outer, ...graph.initialisers.keys(), ...graph.inputs.map((input) => input.name)]);
  for (const node of graph.nodes) {
    checkNode(node, known);
    for (const output of node.outputs.filter((name) => name !== "")) define(output, known, node);
  }
  const missing = graph.outputs.find((output) => !known.has(output.name));
  if (missing) throw new FlywheelError("onnx_corrupt", `graph output "${missing.name}" is made by no node`);
}

function checkNode(node: Node, known: ReadonlySet<string>): void {
  const missing = node.inputs.find((input) => input !== "" && !known.has(input));
  if (missing !== undefined) {
    throw new FlywheelError("onnx_corrupt", `${describeNode(node)} reads "${missing}", which nothing before it makes`);
  }
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.type === "graph") checkGraph(attribute.value, known);
  }
}

function define(name: string, known: Set<string>, node: Node): void {
  if (known.has(name)) throw new FlywheelError("onnx_corrupt", `${describeNode(node)} makes "${name}" a second time`);
  known.add(name);
}
