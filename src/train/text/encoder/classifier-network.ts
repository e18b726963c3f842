/**
 * @file An encoder with a linear head, as one ONNX graph: token ids in, `logits` `[N, k]` out. The head reads what tier 1
 * reads, the pooled vector at length √width (each number then varies by about 1, whatever the encoder), so that tier 1's
 * regression is where fine-tuning starts.
 */

import { FlywheelError } from "../../../errors.ts";
import { createGraphBuilder, type GraphBuilder, type Value } from "../../../onnx/builder.ts";
import type { Model } from "../../../onnx/model.ts";
import { parameterNames, parameterOf } from "../../../onnx/parameters.ts";
import { cutAt, headParameters } from "../../../onnx/surgery.ts";
import { floats } from "../../../onnx/tensor.ts";
import { upgrade } from "../../../onnx/upgrade.ts";
import type { LinearHead } from "../embedding/fit-head.ts";
import type { PoolingMode } from "../embedding/network-encoder.ts";
import { maskName } from "./token-feeds.ts";

export type ClassifierParts = {
  readonly encoder: Model;
  /** The encoder's output to classify by: a vector for each token (rank 3), or one already pooled (rank 2). */
  readonly output: { readonly name: string; readonly rank: number };
  readonly pooling: PoolingMode;
  readonly width: number;
  readonly k: number;
  /** Over embeddings of length 1. */
  readonly head: LinearHead;
};

/** Against a division by 0 where every number is 0. */
const EPSILON = 1e-12;

/** @throws FlywheelError `encoder_unusable` without an attention mask: texts of several lengths could not be trained together */
export function classifierOn({ encoder, output, pooling, width, k, head }: ClassifierParts): Model {
  const cut = cutAt(upgrade(encoder), output.name);
  if (!cut.graph.inputs.some(({ name }) => name === maskName)) throw unusable(`it has no input ${maskName}`);
  const inputs = cut.graph.inputs.map((each) => ({ ...each, dims: ["N", "L"] }));
  const graph = createGraphBuilder("text-classifier", { from: { ...cut.graph, inputs } });
  const hidden = { name: output.name };
  const pooled = output.rank === 2 ? hidden : poolers[pooling](graph, hidden);
  const [weightName, biasName] = headParameters;
  const weight = graph.parameter(weightName, floats(transposed(head.weights, width, k), [k, width]));
  const bias = graph.parameter(biasName, floats(head.bias, [k]));
  graph.output("logits", graph.linear(scaled(graph, pooled, width), weight, bias), "float32", ["N", k]);
  const built = graph.build();
  return { ...built, opsets: { ...cut.opsets, ...built.opsets, "": cut.opsets[""]! } };
}

const poolers: Readonly<Record<PoolingMode, (graph: GraphBuilder, hidden: Value) => Value>> = {
  /** The first token's vector. */
  cls: (graph, hidden) => {
    const first = graph.op("Slice", [hidden, graph.shape([0]), graph.shape([1]), graph.shape([1])]);
    return graph.op("Squeeze", [first, graph.shape([1])]);
  },
  /** The mean over tokens that are not filled up. */
  mean: (graph, hidden) => {
    const mask = graph.op("Unsqueeze", [graph.op("Cast", [{ name: maskName }], { to: 1 }), graph.shape([2])]);
    const sum = graph.op("ReduceSum", [graph.op("Mul", [hidden, mask]), graph.shape([1])], { keepdims: 0 });
    return graph.op("Div", [sum, graph.op("ReduceSum", [mask, graph.shape([1])], { keepdims: 0 })]);
  },
};

/** √width · pooled / ‖pooled‖ */
function scaled(graph: GraphBuilder, pooled: Value, width: number): Value {
  const squares = graph.op("ReduceSum", [graph.op("Mul", [pooled, pooled]), graph.shape([1])], { keepdims: 1 });
  const length = graph.op("Sqrt", [graph.op("Add", [squares, graph.scalar(EPSILON)])]);
  return graph.op("Mul", [graph.op("Div", [pooled, length]), graph.scalar(Math.sqrt(width))]);
}

/** `[width, k]` over vectors of length 1 → `[k, width]` over vectors of length √width. */
function transposed(weights: Float32Array, width: number, k: number): Float32Array {
  const scale = 1 / Math.sqrt(width);
  return Float32Array.from({ length: weights.length }, (_, at) => {
    const [c, j] = [Math.floor(at / width), at % width];
    return weights[j * k + c]! * scale;
  });
}

/**
 * What fine-tuning changes: everything but tables of embeddings. Those hold a third to nine tenths of an encoder's numbers,
 * of which a few thousand texts touch a few: left alone, rare words keep what pretraining taught of them, and a step costs
 * a fraction.
 * @throws FlywheelError `encoder_unusable` where no float32 weights are left: quantised, or in half precision
 */
export function trainableParameters(classifier: Model): readonly string[] {
  const tables = new Set(
    classifier.graph.nodes.flatMap(({ opType, inputs }) => (opType === "Gather" ? inputs.slice(0, 1) : [])),
  );
  const names = parameterNames(classifier).filter((name) => !tables.has(name));
  const matrices = names.filter((name) => parameterOf(classifier, name).dims.length > 1 && !isHead(name));
  if (matrices.length > 0) return names;
  throw unusable("none of its weights are float32 matrices");
}

export const isHead = (name: string): boolean => headParameters.some((own) => own === name);

function unusable(why: string): FlywheelError {
  return new FlywheelError("encoder_unusable", `this encoder cannot be fine-tuned: ${why}`, {
    hint: 'export it in float32, with input_ids and attention_mask; or train "embedding-text", which leaves the encoder as it is',
  });
}
