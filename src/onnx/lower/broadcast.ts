/**
 * @file `Add(a, Expand(b))` is `Add(a, b)` by broadcasting whenever `a` has the full shape; so with what else multiplies or
 * adds. Gradients of pooling are expanded for the sake of simple rules; here the copy goes again.
 */

import type { Types } from "../infer-types.ts";
import { type Graph, type Node, producersOf } from "../model.ts";

const broadcasting: ReadonlySet<string> = new Set(["Add", "Sub", "Mul"]);

export function broadcastInsteadOfExpanding(graph: Graph, types: Types): Graph {
  const producers = producersOf(graph);
  const source = (name: string): string => {
    const producer = producers.get(name);
    return producer?.opType === "Expand" ? producer.inputs[0]! : name;
  };
  const nodes = graph.nodes.map((node) => {
    if (node.opType === "HardSwishGradient") return withBroadcastGradient(node, source);
    return broadcasting.has(node.opType) ? withoutExpand(node, source, types) : node;
  });
  return { ...graph, nodes };
}

type Source = (name: string) => string;

/** Multiplied with a slope of the full shape in the end. */
function withBroadcastGradient(node: Node, source: Source): Node {
  const [dy, x] = node.inputs as [string, string]; // by its rule
  return { ...node, inputs: [source(dy), x] };
}

function withoutExpand(node: Node, source: Source, types: Types): Node {
  const [left, right] = node.inputs as [string, string]; // these operators are binary
  const result = types.get(node.outputs[0]!)?.dims.join();
  const isWhole = (name: string): boolean => result !== undefined && types.get(name)?.dims.join() === result;
  if (isWhole(left) && source(left) === left) return { ...node, inputs: [left, source(right)] };
  if (isWhole(right) && source(right) === right) return { ...node, inputs: [source(left), right] };
  return node;
}
