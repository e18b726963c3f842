/** @file Dropping what no output needs. */

import type { Graph } from "./model.ts";

/** The part of a graph that `outputs` depend on. Inputs stay, unless `isInputDropped`. */
export function prune(graph: Graph, outputs: readonly string[], isInputDropped = false): Graph {
  const needed = new Set(outputs);
  const nodes = graph.nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((name) => needed.has(name))) return false;
      for (const name of node.inputs) needed.add(name);
      for (const name of namesInSubgraphs(node.attributes)) needed.add(name);
      return true;
    })
    .reverse();
  const initialisers = new Map([...graph.initialisers].filter(([name]) => needed.has(name)));
  const inputs = isInputDropped ? graph.inputs.filter(({ name }) => needed.has(name)) : graph.inputs;
  return { ...graph, nodes, initialisers, inputs };
}

/** Subgraphs (of If, Loop, Scan) may read any value of the graph around them. */
function namesInSubgraphs(attributes: Graph["nodes"][number]["attributes"]): readonly string[] {
  return Object.values(attributes).flatMap((attribute) => {
    if (attribute.type !== "graph") return [];
    const { nodes, outputs } = attribute.value;
    const inner = nodes.flatMap((node) => [...node.inputs, ...namesInSubgraphs(node.attributes)]);
    return [...inner, ...outputs.map((output) => output.name)];
  });
}
