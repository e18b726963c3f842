/**
 * @file A linear text student as an ONNX graph. Features are named by column, for a text has a few hundred of a few hundred
 * thousand: `indices` `[N, M]` int64 and `values` `[N, M]` float32, padded with value 0, give `logits` `[N, K]`.
 */

import { FlywheelError } from "../../errors.ts";
import type { SparseLogistic } from "../../math/sparse-logistic.ts";
import { createGraphBuilder } from "../../onnx/builder.ts";
import type { Model } from "../../onnx/model.ts";
import { parameterOf } from "../../onnx/parameters.ts";
import { floats } from "../../onnx/tensor.ts";

/** Rounded to float32, in which every student computes. */
export type LinearWeights = {
  readonly k: number;
  readonly columns: number;
  /** Row-major `[columns, k]`. */
  readonly weights: Float32Array;
  /** `[k]` */
  readonly bias: Float32Array;
};

const weightsName = "linear.weight";
const biasName = "linear.bias";

export function linearNetwork({ weights, bias, columns, k }: SparseLogistic): Model {
  const graph = createGraphBuilder("linear-text");
  const indices = graph.input("indices", "int64", ["N", "M"]);
  const values = graph.input("values", "float32", ["N", "M"]);
  const table = graph.parameter(weightsName, floats(Float32Array.from(weights), [columns, k]));
  const gathered = graph.op("Gather", [table, indices], { axis: 0 }); // [N, M, K]
  const row = graph.op("Unsqueeze", [values, graph.shape([1])]); // [N, 1, M]
  const summed = graph.op("Squeeze", [graph.op("MatMul", [row, gathered]), graph.shape([1])]);
  const offset = graph.parameter(biasName, floats(Float32Array.from(bias), [k]));
  graph.output("logits", graph.op("Add", [summed, offset]), "float32", ["N", k]);
  return graph.build();
}

/** Members side by side: a model of `members · k` classes, in which each column holds one member's weights after another's. */
export function sideBySide(members: readonly SparseLogistic[]): SparseLogistic {
  const { k, columns } = members[0]!;
  const width = members.length * k;
  const [weights, bias] = [new Float64Array(columns * width), new Float64Array(width)];
  members.forEach((member, place) => {
    bias.set(member.bias, place * k);
    for (let column = 0; column < columns; column++) {
      weights.set(member.weights.subarray(column * k, (column + 1) * k), column * width + place * k);
    }
  });
  return { k: width, columns, weights, bias };
}

/** @throws FlywheelError `onnx_unknown_name` where `model` is not one of `linearNetwork` */
export function weightsOf(model: Model): LinearWeights {
  const table = parameterOf(model, weightsName);
  const bias = parameterOf(model, biasName).data;
  const [columns = 0, k = 0] = table.dims;
  if (bias.length === k && table.data.length === columns * k) return { k, columns, weights: table.data, bias };
  throw new FlywheelError("model_corrupt", `weights of ${table.dims} do not go with a bias of ${bias.length}`, {
    hint: "delete the model's folder and train again",
  });
}
