/** @file Members of a network whose backbone is frozen: heads, each fitted without a fold, on the features that it computes anyway. */

import { createGraphBuilder } from "../../onnx/builder.ts";
import type { Model } from "../../onnx/model.ts";
import { floats } from "../../onnx/tensor.ts";
import type { Head } from "./head.ts";

/** `features` `[N, width]`, named as in the network, → `logits` `[N, members · classes]`, one member after another. */
export function memberHeads(heads: readonly Head[], features: string): Model {
  const classes = heads[0]!.bias.length;
  const width = heads[0]!.weights.length / classes;
  const rows = heads.length * classes;
  const graph = createGraphBuilder("members");
  const weights = Float32Array.from(heads.flatMap((head) => [...head.weights]));
  const bias = Float32Array.from(heads.flatMap((head) => [...head.bias]));
  const logits = graph.linear(
    graph.input(features, "float32", ["N", width]),
    graph.parameter("members.weight", floats(weights, [rows, width])),
    graph.parameter("members.bias", floats(bias, [rows])),
  );
  graph.output("logits", logits, "float32", ["N", rows]);
  return graph.build();
}
