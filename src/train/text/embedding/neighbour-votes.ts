/**
 * @file What the nearest training texts say: the mean target of the five whose embeddings have the largest cosine. Part of
 * the head that serves, and a network of its own where folds are kept apart.
 */

import { createGraphBuilder, type GraphBuilder, type Value } from "../../../onnx/builder.ts";
import type { Model } from "../../../onnx/model.ts";
import { openSession } from "../../../onnx/session.ts";
import { floats } from "../../../onnx/tensor.ts";

/** SCIENCE D10: kNN-5. */
export const NEAREST = 5;
/** Beyond, more texts in the index cost time at every decision and hardly change its answers. */
export const MOST_NEIGHBOURS = 8192;
/** What every class has of a vote, so that none is impossible. */
const FLOOR = 0.1;
/** Further than any cosine: what is masked is never among the nearest. */
const MASKED = 4;

/** `cosines` `[N, rows]`, `targets` `[rows, k]` → log-probabilities `[N, k]`. */
export function voteNetwork(
  graph: GraphBuilder,
  {
    cosines,
    targets,
    rows,
    k,
  }: { readonly cosines: Value; readonly targets: Value; readonly rows: number; readonly k: number },
): Value {
  const [, nearest] = graph.ops(2, "TopK", [cosines, graph.shape([Math.min(NEAREST, rows)])], { axis: 1 });
  const votes = graph.op("ReduceMean", [graph.op("Gather", [targets, nearest], { axis: 0 }), graph.shape([1])], {
    keepdims: 0,
  });
  const floored = graph.op("Add", [graph.op("Mul", [votes, graph.scalar(1 - FLOOR)]), graph.scalar(FLOOR / k)]);
  return graph.op("Log", [floored]);
}

/** Takes `MASKED` off cosines where `isApart` (bool, `[N, rows]` or broadcast to it) is false. */
export function mask(graph: GraphBuilder, cosines: Value, isApart: Value): Value {
  const penalty = graph.op("Where", [isApart, graph.scalar(0), graph.scalar(-MASKED)]);
  return graph.op("Add", [cosines, penalty]);
}

export type Labelled = {
  /** `[n, width]`, rows of length 1. */
  readonly embeddings: Float32Array;
  readonly width: number;
  readonly k: number;
  /** `[n, k]` */
  readonly targets: Float32Array;
  /** `[n]` */
  readonly folds: Int32Array;
};

/** Rows looked at together. */
const BLOCK = 512;

/**
 * Log-probabilities `[n, k]` of every row by its nearest among the first `MOST_NEIGHBOURS` rows of *other* folds: rows are in
 * the order of their hashes, so that the first are a uniform sample.
 */
export async function votesOutOfFold(
  { embeddings, width, k, targets, folds }: Labelled,
  { threads }: { readonly threads: number },
): Promise<Float32Array> {
  const n = folds.length;
  const rows = Math.min(n, MOST_NEIGHBOURS);
  await using session = await openSession(foldNetwork({ rows, width, k }), { threads });
  const index = {
    neighbours: floats(embeddings.subarray(0, rows * width), [rows, width]),
    targets: floats(targets.subarray(0, rows * k), [rows, k]),
    neighbourFolds: { dtype: "int32", dims: [rows], data: folds.subarray(0, rows) },
  } as const;
  const votes = new Float32Array(n * k);
  for (let first = 0; first < n; first += BLOCK) {
    const last = Math.min(n, first + BLOCK);
    const asked = floats(embeddings.subarray(first * width, last * width), [last - first, width]);
    const own = { dtype: "int32", dims: [last - first, 1], data: folds.subarray(first, last) } as const;
    const result = await session.run({ ...index, embeddings: asked, folds: own });
    votes.set(result["votes"]!.data as Float32Array, first * k);
  }
  return votes;
}

function foldNetwork({ rows, width, k }: { readonly rows: number; readonly width: number; readonly k: number }): Model {
  const graph = createGraphBuilder("votes-out-of-fold");
  const embeddings = graph.input("embeddings", "float32", ["N", width]);
  const folds = graph.input("folds", "int32", ["N", 1]);
  const neighbours = graph.input("neighbours", "float32", [rows, width]);
  const targets = graph.input("targets", "float32", [rows, k]);
  const neighbourFolds = graph.input("neighbourFolds", "int32", [rows]);
  const cosines = graph.op("Gemm", [embeddings, neighbours], { transB: 1 });
  const isApart = graph.op("Not", [graph.op("Equal", [folds, neighbourFolds])]);
  const apart = mask(graph, cosines, isApart);
  graph.output("votes", voteNetwork(graph, { cosines: apart, targets, rows, k }), "float32", ["N", k]);
  return graph.build();
}
