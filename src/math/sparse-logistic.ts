/**
 * @file Logistic regression on sparse features, multinomial, with an L2 penalty: the text student's solver.
 *
 * The objective is scikit-learn's (`LogisticRegression`, lbfgs): ½‖W‖² + C · Σ weight · cross-entropy, the bias free; two
 * classes have one vector of weights, more have one each. It is solved as the weighted mean loss + l2/2 · ‖W‖² with
 * l2 = 1 / (C · Σ weights), by L-BFGS: each pass over the rows gives value and gradient together, so that a row's features
 * are read from memory once.
 */

import { checkClasses, checkCount, checkFinite, checkLength } from "./check.ts";
import { type LbfgsOptions, lbfgs } from "./lbfgs.ts";
import { checkSparse, type SparseMatrix } from "./sparse.ts";

export type SparseLogisticData = {
  readonly features: SparseMatrix;
  readonly k: number;
  /** Class indices `[n]`, or soft targets `[n, k]`, rows summing to 1. */
  readonly targets: Int32Array | Float32Array | Float64Array;
  /** `[n]`, not negative; all 1 where absent. A row of weight 0 is not read. */
  readonly weights?: ArrayLike<number> | undefined;
};

export type SparseLogisticOptions = Pick<LbfgsOptions, "tolerance" | "maxIterations"> & {
  /** Inverse strength of the penalty, scikit-learn's C. Default 1. */
  readonly c?: number;
};

export type SparseLogistic = {
  readonly k: number;
  readonly columns: number;
  /** Row-major `[columns, k]`. */
  readonly weights: Float64Array;
  /** `[k]` */
  readonly bias: Float64Array;
};

export type SparseLogisticFit = SparseLogistic & {
  /** Weighted mean cross-entropy plus penalty, nats. */
  readonly loss: number;
  readonly iterations: number;
  readonly converged: boolean;
};

/** The gradient's largest component at which scikit-learn stops, too. */
const DEFAULT_TOLERANCE = 1e-4;
/**
 * Pairs of vectors that the search remembers. Of few weights they cost nothing and save iterations (news-bias: 32 instead of
 * 54); of millions, going through them takes as long as going through the rows (banking77: 36 iterations or 38, a fifth less time).
 */
const memoryFor = (size: number): number => (size > 1_000_000 ? 5 : 10);

/** @throws RangeError for shapes that do not match, values that are not finite, weights that sum to nothing */
export function fitSparseLogistic(data: SparseLogisticData, options: SparseLogisticOptions = {}): SparseLogisticFit {
  const { c = 1, tolerance = DEFAULT_TOLERANCE, maxIterations = 1000 } = options;
  if (!(c > 0 && Number.isFinite(c))) throw new RangeError(`c must be positive, got ${c}`);
  const problem = prepare(data, c);
  const size = problem.width * (problem.features.columns + 1);
  const { x, value, iterations, converged } = lbfgs(
    (at, gradient) => sparseLogisticLoss(problem, at, gradient),
    new Float64Array(size),
    { tolerance, maxIterations, memory: memoryFor(size) },
  );
  return { ...unpacked(problem, x), loss: value, iterations, converged };
}

/** `features` `[n, columns]` → logits `[n, k]`, into `logits` where it is given. */
export function sparseLogits(
  {
    k,
    weights,
    bias,
  }: Pick<SparseLogistic, "k"> & {
    readonly weights: Float32Array | Float64Array;
    readonly bias: Float32Array | Float64Array;
  },
  { rows, starts, indices, values }: SparseMatrix,
): Float64Array {
  const logits = new Float64Array(rows * k);
  for (let row = 0; row < rows; row++) {
    const out = row * k;
    for (let c = 0; c < k; c++) logits[out + c] = bias[c]!;
    for (let entry = starts[row]!, end = starts[row + 1]!; entry < end; entry++) {
      const value = values[entry]!;
      const at = indices[entry]! * k;
      for (let c = 0; c < k; c++) logits[out + c]! += value * weights[at + c]!;
    }
  }
  return logits;
}

export type SparseLogisticProblem = {
  readonly features: SparseMatrix;
  readonly k: number;
  /** Weights to a column: 1 for two classes, else `k`. */
  readonly width: number;
  /** Class indices `[n]`, or soft targets `[n, k]`. */
  readonly targets: SparseLogisticData["targets"];
  /** Each row's part of the total weight. `[n]`, summing to 1. */
  readonly shares: Float64Array;
  readonly l2: number;
};

/** @throws RangeError as `fitSparseLogistic` */
export function prepare({ features, k, targets, weights }: SparseLogisticData, c: number): SparseLogisticProblem {
  checkCount("k", k, 2);
  checkSparse(features);
  const { rows } = features;
  if (targets instanceof Int32Array) {
    checkLength("targets", targets, rows);
    checkClasses("targets", targets, k);
  } else {
    checkLength("targets", targets, rows * k);
    checkFinite("targets", targets);
  }
  const given = weights ? Float64Array.from(weights) : new Float64Array(rows).fill(1);
  checkLength("weights", given, rows);
  checkFinite("weights", given);
  const total = given.reduce((sum, weight) => sum + weight, 0);
  if (given.some((weight) => weight < 0) || total <= 0) throw new RangeError("weights must be ≥ 0, not all 0");
  const shares = given.map((weight) => weight / total);
  return { features, k, width: k === 2 ? 1 : k, targets, shares, l2: 1 / (c * total) };
}

/**
 * Mean loss plus penalty at `at`, its gradient into `gradient`. Both: weights `[columns, width]`, then bias `[width]`. Of
 * two classes the one vector belongs to the second.
 */
export function sparseLogisticLoss(problem: SparseLogisticProblem, at: Float64Array, gradient: Float64Array): number {
  gradient.fill(0);
  const loss = problem.width === 1 ? binaryLoss(problem, at, gradient) : multinomialLoss(problem, at, gradient);
  return loss + penalise(problem, at, gradient);
}

function penalise({ features, width, l2 }: SparseLogisticProblem, at: Float64Array, gradient: Float64Array): number {
  let squares = 0;
  for (let index = 0, end = features.columns * width; index < end; index++) {
    const weight = at[index]!;
    squares += weight * weight;
    gradient[index]! += l2 * weight;
  }
  return (l2 / 2) * squares;
}

function binaryLoss(problem: SparseLogisticProblem, at: Float64Array, gradient: Float64Array): number {
  const { features, targets, shares } = problem;
  const { rows, columns, starts, indices, values } = features;
  const isSoft = !(targets instanceof Int32Array);
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const share = shares[row]!;
    if (share === 0) continue;
    const [start, end] = [starts[row]!, starts[row + 1]!];
    let z = at[columns]!;
    for (let entry = start; entry < end; entry++) z += values[entry]! * at[indices[entry]!]!;
    const target = isSoft ? targets[2 * row + 1]! : targets[row]!;
    // ln(1 + eᶻ), with the exponent of the smaller side so that it never overflows.
    const tail = Math.exp(-Math.abs(z));
    loss += share * (Math.max(z, 0) + Math.log1p(tail) - target * z);
    const sigma = z >= 0 ? 1 / (1 + tail) : tail / (1 + tail);
    const residual = share * (sigma - target);
    for (let entry = start; entry < end; entry++) gradient[indices[entry]!]! += residual * values[entry]!;
    gradient[columns]! += residual;
  }
  return loss;
}

function multinomialLoss(problem: SparseLogisticProblem, at: Float64Array, gradient: Float64Array): number {
  const { features, k, shares } = problem;
  const { rows, columns, starts } = features;
  const z = new Float64Array(k);
  const origin = columns * k;
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    if (shares[row] === 0) continue;
    const span = { start: starts[row]!, end: starts[row + 1]!, k };
    for (let c = 0; c < k; c++) z[c] = at[origin + c]!;
    gatherRow(z, features, at, span);
    loss += residualOf(problem, z, row);
    scatterRow(gradient, features, z, span);
    for (let c = 0; c < k; c++) gradient[origin + c]! += z[c]!;
  }
  return loss;
}

type Span = { readonly start: number; readonly end: number; readonly k: number };

/** z `[k]` += the row's values times the weights of its columns. Four at a time: each sum is written once for four. */
function gatherRow(
  z: Float64Array,
  { indices, values }: SparseMatrix,
  at: Float64Array,
  { start, end, k }: Span,
): void {
  let entry = start;
  for (; entry + 3 < end; entry += 4) {
    const [v0, v1, v2, v3] = [values[entry]!, values[entry + 1]!, values[entry + 2]!, values[entry + 3]!];
    const i0 = indices[entry]! * k;
    const i1 = indices[entry + 1]! * k;
    const i2 = indices[entry + 2]! * k;
    const i3 = indices[entry + 3]! * k;
    for (let c = 0; c < k; c++) {
      z[c]! += v0 * at[i0 + c]! + v1 * at[i1 + c]! + v2 * at[i2 + c]! + v3 * at[i3 + c]!;
    }
  }
  for (; entry < end; entry++) {
    const value = values[entry]!;
    for (let c = 0, from = indices[entry]! * k; c < k; c++, from++) z[c]! += value * at[from]!;
  }
}

/** The gradient of the weights of the row's columns += its values times `z`. */
function scatterRow(
  gradient: Float64Array,
  { indices, values }: SparseMatrix,
  z: Float64Array,
  { start, end, k }: Span,
): void {
  for (let entry = start; entry < end; entry++) {
    const value = values[entry]!;
    for (let c = 0, into = indices[entry]! * k; c < k; c++, into++) gradient[into]! += value * z[c]!;
  }
}

/** Turns a row of logits into share · (softmax − target), and returns share · cross-entropy. */
function residualOf({ k, targets, shares }: SparseLogisticProblem, z: Float64Array, row: number): number {
  const share = shares[row]!;
  const normaliser = logSumExp(z);
  let loss = 0;
  const isSoft = !(targets instanceof Int32Array);
  for (let c = 0; c < k; c++) {
    const target = isSoft ? targets[row * k + c]! : Number(targets[row] === c);
    if (target !== 0) loss += target * (normaliser - z[c]!);
    z[c] = share * (Math.exp(z[c]! - normaliser) - target);
  }
  return share * loss;
}

function logSumExp(z: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < z.length; c++) most = Math.max(most, z[c]!);
  let sum = 0;
  for (let c = 0; c < z.length; c++) sum += Math.exp(z[c]! - most);
  return most + Math.log(sum);
}

/** Two classes share their one vector: each gets half of it, with its own sign. */
function unpacked({ features, k, width }: SparseLogisticProblem, x: Float64Array): SparseLogistic {
  const { columns } = features;
  const all = new Float64Array((columns + 1) * k);
  if (width === 1) {
    for (let index = 0; index <= columns; index++) {
      all[2 * index] = -x[index]! / 2;
      all[2 * index + 1] = x[index]! / 2;
    }
  } else all.set(x);
  return { k, columns, weights: all.subarray(0, columns * k), bias: all.slice(columns * k) };
}
