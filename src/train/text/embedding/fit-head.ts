/**
 * @file Logistic regression on embeddings: thousands of rows of hundreds of numbers, up to 255 classes. L-BFGS asks, ONNX
 * Runtime computes loss and gradient of all rows at once: two matrix products a question.
 */

import { lbfgsSearch } from "../../../math/lbfgs.ts";
import { createGraphBuilder } from "../../../onnx/builder.ts";
import type { Model } from "../../../onnx/model.ts";
import { openSession, type Session } from "../../../onnx/session.ts";
import { floats, type TensorOf } from "../../../onnx/tensor.ts";

export type HeadData = {
  /** `[n, width]` */
  readonly embeddings: Float32Array;
  readonly width: number;
  readonly k: number;
  /** `[n, k]`, rows summing to 1. */
  readonly targets: Float32Array;
  /** `[n]`, not negative. */
  readonly weights: Float64Array;
};

/** Logits are `embedding · weights + bias`. */
export type LinearHead = {
  /** `[width, k]` */
  readonly weights: Float32Array;
  /** `[k]` */
  readonly bias: Float32Array;
};

export type FitOptions = {
  readonly isUsed?: ((row: number) => boolean) | undefined;
  /** Where the search begins; it ends in the same place. */
  readonly start?: LinearHead | undefined;
  /** No component of the gradient is larger where the search ends. Default 2e-5. */
  readonly tolerance?: number | undefined;
};

export type HeadFitter = AsyncDisposable & {
  /**
   * Weighted mean cross-entropy + `penalty`/2 · ‖weights‖² / scale² at its minimum: the penalty's scale is that of embeddings
   * whose numbers have variance 1. Rows for which `isUsed` is false are left out.
   */
  fit(penalty: number, options?: FitOptions): Promise<LinearHead>;
};

/** In float32 the gradient's rounding ends the search not far below. */
const TOLERANCE = 2e-5;
const MOST_ITERATIONS = 300;

export type FitterOptions = {
  readonly threads: number;
  /** What gives the embeddings' numbers variance 1. Default √width: rows of length 1. */
  readonly scale?: number;
};

export async function openHeadFitter(data: HeadData, options: FitterOptions): Promise<HeadFitter> {
  const { embeddings, width, k, targets, weights } = data;
  const n = weights.length;
  const { threads, scale = Math.sqrt(width) } = options;
  const session = await openSession(lossNetwork(width, k), { threads });
  const fixed = {
    embeddings: floats(
      embeddings.map((value) => value * scale),
      [n, width],
    ),
    targets: floats(targets, [n, k]),
  };
  return {
    async fit(penalty, { isUsed = () => true, start, tolerance = TOLERANCE } = {}) {
      const shares = sharesOf(weights, isUsed);
      const from = new Float64Array((width + 1) * k);
      if (start) {
        from.set(start.weights.map((weight) => weight / scale));
        from.set(start.bias, width * k);
      }
      const search = lbfgsSearch(from, { tolerance, maxIterations: MOST_ITERATIONS });
      let asked = search.next();
      while (!asked.done) {
        const { x, gradient } = asked.value;
        const loss = await lossAt(session, { ...fixed, shares: floats(shares, [n, 1]) }, { x, gradient, width, k });
        asked = search.next(loss + penalise({ x, gradient }, width * k, penalty));
      }
      const { x } = asked.value;
      return {
        weights: Float32Array.from(x.subarray(0, width * k), (weight) => weight * scale),
        bias: Float32Array.from(x.subarray(width * k)),
      };
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** Each row's part of the total weight; 0 where it is left out. */
function sharesOf(weights: Float64Array, isUsed: (row: number) => boolean): Float32Array {
  const used = weights.map((weight, row) => (isUsed(row) ? weight : 0));
  const total = used.reduce((sum, weight) => sum + weight, 0);
  return Float32Array.from(used, (weight) => weight / total);
}

type At = { readonly x: Float64Array; readonly gradient: Float64Array };

async function lossAt(
  session: Session,
  rows: Readonly<Record<"embeddings" | "targets" | "shares", TensorOf<"float32">>>,
  { x, gradient, width, k }: At & { readonly width: number; readonly k: number },
): Promise<number> {
  const weights = floats(Float32Array.from(x.subarray(0, width * k)), [width, k]);
  const bias = floats(Float32Array.from(x.subarray(width * k)), [k]);
  const result = await session.run({ ...rows, weights, bias });
  gradient.set(result["weightGradient"]!.data as Float32Array);
  gradient.set(result["biasGradient"]!.data as Float32Array, width * k);
  return Number(result["loss"]!.data[0]);
}

/** The bias is free. */
function penalise({ x, gradient }: At, count: number, penalty: number): number {
  let squares = 0;
  for (let index = 0; index < count; index++) {
    squares += x[index]! ** 2;
    gradient[index]! += penalty * x[index]!;
  }
  return (penalty / 2) * squares;
}

function lossNetwork(width: number, k: number): Model {
  const graph = createGraphBuilder("logistic-loss");
  const embeddings = graph.input("embeddings", "float32", ["N", width]);
  const targets = graph.input("targets", "float32", ["N", k]);
  const shares = graph.input("shares", "float32", ["N", 1]);
  const weights = graph.input("weights", "float32", [width, k]);
  const bias = graph.input("bias", "float32", [k]);
  const logits = graph.op("Add", [graph.op("MatMul", [embeddings, weights]), bias]);
  const normaliser = graph.op("ReduceLogSumExp", [logits, graph.shape([1])], { keepdims: 1 });
  const expected = graph.op("ReduceSum", [graph.op("Mul", [targets, logits]), graph.shape([1])], { keepdims: 1 });
  const losses = graph.op("Mul", [shares, graph.op("Sub", [normaliser, expected])]);
  const misses = graph.op("Sub", [graph.op("Softmax", [logits], { axis: 1 }), targets]);
  const residuals = graph.op("Mul", [shares, misses]);
  graph.output("loss", graph.op("ReduceSum", [losses], { keepdims: 0 }), "float32", []);
  graph.output("weightGradient", graph.op("Gemm", [embeddings, residuals], { transA: 1 }), "float32", [width, k]);
  graph.output("biasGradient", graph.op("ReduceSum", [residuals, graph.shape([0])], { keepdims: 0 }), "float32", [k]);
  return graph.build();
}
