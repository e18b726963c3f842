/**
 * @file The head that serves, as one ONNX graph: `embeddings` `[N, width]` (rows of length 1) → `logits` `[N, k]`, stacked of
 * logistic regression and the nearest training texts, and `novelty` `[N]`, 1 − mean cosine to the five nearest training texts
 * of the class that it says.
 */

import { createGraphBuilder } from "../../../onnx/builder.ts";
import type { Model } from "../../../onnx/model.ts";
import { floats } from "../../../onnx/tensor.ts";
import type { HeadData, LinearHead } from "./fit-head.ts";
import { MOST_NEIGHBOURS, mask, NEAREST, voteNetwork } from "./neighbour-votes.ts";
import type { Stack } from "./stack.ts";

export type HeadParts = {
  readonly data: Pick<HeadData, "embeddings" | "width" | "k" | "targets">;
  /** The value in force of each row. `[n]` */
  readonly classIndices: Int32Array;
  readonly linear: LinearHead;
  readonly shares: Stack;
};

export function headNetwork({ data, classIndices, linear, shares }: HeadParts): Model {
  const { width, k } = data;
  const rows = Math.min(classIndices.length, MOST_NEIGHBOURS);
  const graph = createGraphBuilder("embedding-head");
  const embeddings = graph.input("embeddings", "float32", ["N", width]);
  const weights = graph.parameter("linear.weight", floats(linear.weights, [width, k]));
  const bias = graph.parameter("linear.bias", floats(linear.bias, [k]));
  const neighbours = graph.parameter(
    "neighbours.embeddings",
    floats(data.embeddings.slice(0, rows * width), [rows, width]),
  );
  const targets = graph.constant(floats(data.targets.slice(0, rows * k), [rows, k]));
  const cosines = graph.op("Gemm", [embeddings, neighbours], { transB: 1 });
  const votes = voteNetwork(graph, { cosines, targets, rows, k });
  const opinion = graph.op("Gemm", [embeddings, weights, bias]);
  const logits = graph.op("Add", [
    graph.op("Mul", [opinion, graph.scalar(shares.linear)]),
    graph.op("Mul", [votes, graph.scalar(shares.votes)]),
  ]);
  const answer = graph.op("ArgMax", [logits], { axis: 1, keepdims: 1 });
  const classes = graph.constant({
    dtype: "int64",
    dims: [rows],
    data: BigInt64Array.from(classIndices.subarray(0, rows), BigInt),
  });
  const ofClass = mask(graph, cosines, graph.op("Equal", [answer, classes]));
  const [nearest] = graph.ops(2, "TopK", [ofClass, graph.shape([Math.min(NEAREST, rows)])], { axis: 1 });
  // Of a class with fewer texts the masked ones count as having nothing in common.
  const cosine = graph.op("ReduceMean", [graph.op("Relu", [nearest!]), graph.shape([1])], { keepdims: 0 });
  graph.output("logits", logits, "float32", ["N", k]);
  graph.output("novelty", graph.op("Relu", [graph.op("Sub", [graph.scalar(1), cosine])]), "float32", ["N"]);
  return graph.build();
}
