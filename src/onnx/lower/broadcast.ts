/**
 * @file `Add(a, Expand(b))` is `Add(a, b)` by broadcasting whenever `a` has the full shape. Gradients of pooling are
 * expanded for the sake of simple rules; here the copy goes again.
 */

import type { Types } from "../infer-types.ts";
import { type Graph, type Node, producersOf } from "../model.ts";

const broadcasting: ReadonlySet<string> = new Set(["Add", "Sub", "Mul"]);

export function broadcastInsteadOfExpanding(graph: Graph, types: Types): Graph {
  const producers = producersOf(graph);
  const nodes = graph.nodes.map((node) =>
    broadcasting.has(node.opType) ? withoutExpand(node, producers, types) : node,
  );
  return { ...graph, nodes };
}

function withoutExpand(node: Node, producers: ReadonlyMap<string, Node>, types: Types): Node {
  const [left, right] = node.inputs as [string, string]; // these operators are binary
  const result = types.get(node.outputs[0]!)?.dims.join();
  const isWhole = (name: string): boolean => result !== undefined && types.get(name)?.dims.join() === result;
  const source = (name: string): string => {
    const producer = producers.get(name);
    return producer?.opType === "Expand" ? producer.inputs[0]! : name;
  };
  if (isWhole(left) && source(left) === left) return { ...node, inputs: [left, source(right)] };
  if (isWhole(right) && source(right) === right) return { ...node, inputs: [source(left), right] };
  return node;
}
