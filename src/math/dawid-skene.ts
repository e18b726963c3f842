/**
 * @file Who errs how, and what is therefore true: expectation–maximisation over annotators' confusion matrices, with rows
 * whose truth is known held fast. Two or three correlated teacher passes identify it only weakly: merge passes of one
 * model into one annotator, and give it gold.
 *
 * Source: Dawid & Skene, Applied Statistics 28 (1979), with Dirichlet smoothing (SCIENCE §4: 4 on the diagonal, else 1).
 */

import { checkClasses, checkCount, checkLength } from "./check.ts";

export type DawidSkeneInput = {
  readonly nRows: number;
  readonly nAnnotators: number;
  readonly k: number;
  /** `[m]` each: annotation j says that `annotator[j]` gave `row[j]` the class `label[j]`. */
  readonly row: Int32Array;
  readonly annotator: Int32Array;
  readonly label: Int32Array;
  /** `[nRows]`: the known class, or −1. */
  readonly gold?: Int32Array;
};

export type DawidSkeneOptions = {
  /** Pseudo-counts off and on the diagonal of each confusion matrix. */
  readonly alpha?: number;
  readonly alphaDiagonal?: number;
  readonly maxIterations?: number;
  /** Stop once no posterior moves by more. */
  readonly tolerance?: number;
};

export type DawidSkene = {
  /** `[nRows, k]`: posterior of each row's class. A row without annotations or gold gets the class shares. */
  readonly posterior: Float64Array;
  /** `[k]`: class shares. */
  readonly shares: Float64Array;
  /** `[nAnnotators, k, k]`: P(says l | truth is j) at [w, j, l]. */
  readonly confusion: Float64Array;
  readonly iterations: number;
  readonly converged: boolean;
};

export function dawidSkene(input: DawidSkeneInput, options: DawidSkeneOptions = {}): DawidSkene {
  const { alpha = 1, alphaDiagonal = 4, maxIterations = 100, tolerance = 1e-5 } = options;
  checkInput(input);
  let posterior = majority(input);
  for (let iteration = 1; ; iteration++) {
    const shares = classShares(posterior, input.k);
    const confusion = confusionMatrices(posterior, input, { alpha, alphaDiagonal });
    const next = expectation(input, shares, confusion);
    const converged = largestChange(posterior, next) < tolerance;
    posterior = next;
    if (converged || iteration === maxIterations) {
      return { posterior, shares, confusion, iterations: iteration, converged };
    }
  }
}

function checkInput({ nRows, nAnnotators, k, row, annotator, label, gold }: DawidSkeneInput): void {
  checkCount("nRows", nRows, 1);
  checkCount("nAnnotators", nAnnotators, 1);
  checkCount("k", k, 2);
  checkLength("annotator", annotator, row.length);
  checkLength("label", label, row.length);
  checkClasses("row", row, nRows);
  checkClasses("annotator", annotator, nAnnotators);
  checkClasses("label", label, k);
  if (gold) checkLength("gold", gold, nRows);
  if (gold?.some((known) => known < -1 || known >= k)) throw new RangeError(`gold must lie in [-1, ${k})`);
}

/** Vote shares; uniform where nobody voted. Gold rows are certain from the start. */
function majority({ nRows, k, row, label, gold }: DawidSkeneInput): Float64Array {
  const votes = new Float64Array(nRows * k);
  for (let j = 0; j < row.length; j++) votes[row[j]! * k + label[j]!]! += 1;
  for (let i = 0; i < nRows; i++) normaliseRow(votes, i, k);
  return clamp(votes, k, gold);
}

function classShares(posterior: Float64Array, k: number): Float64Array {
  const shares = new Float64Array(k);
  for (let index = 0; index < posterior.length; index++) shares[index % k]! += posterior[index]!;
  normaliseRow(shares, 0, k);
  return shares;
}

function confusionMatrices(
  posterior: Float64Array,
  { nAnnotators, k, row, annotator, label }: DawidSkeneInput,
  { alpha, alphaDiagonal }: Required<Pick<DawidSkeneOptions, "alpha" | "alphaDiagonal">>,
): Float64Array {
  const confusion = new Float64Array(nAnnotators * k * k).fill(alpha);
  for (let w = 0; w < nAnnotators; w++) for (let j = 0; j < k; j++) confusion[(w * k + j) * k + j] = alphaDiagonal;
  for (let a = 0; a < row.length; a++) {
    for (let j = 0; j < k; j++) confusion[(annotator[a]! * k + j) * k + label[a]!]! += posterior[row[a]! * k + j]!;
  }
  for (let line = 0; line < nAnnotators * k; line++) normaliseRow(confusion, line, k);
  return confusion;
}

/** T_ij ∝ p_j Π_w π^w_{j, y_iw}, in logarithms: many annotators would underflow. */
function expectation(input: DawidSkeneInput, shares: Float64Array, confusion: Float64Array): Float64Array {
  const { nRows, k, row, annotator, label, gold } = input;
  const log = new Float64Array(nRows * k);
  for (let index = 0; index < log.length; index++) log[index] = Math.log(shares[index % k]!);
  for (let a = 0; a < row.length; a++) {
    for (let j = 0; j < k; j++) log[row[a]! * k + j]! += Math.log(confusion[(annotator[a]! * k + j) * k + label[a]!]!);
  }
  for (let i = 0; i < nRows; i++) exponentiateRow(log, i, k);
  return clamp(log, k, gold);
}

function clamp(posterior: Float64Array, k: number, gold: Int32Array | undefined): Float64Array {
  gold?.forEach((known, i) => {
    if (known >= 0) posterior.fill(0, i * k, (i + 1) * k)[i * k + known] = 1;
  });
  return posterior;
}

function exponentiateRow(values: Float64Array, row: number, k: number): void {
  let max = -Infinity;
  for (let j = 0; j < k; j++) max = Math.max(max, values[row * k + j]!);
  for (let j = 0; j < k; j++) values[row * k + j] = Math.exp(values[row * k + j]! - max);
  normaliseRow(values, row, k);
}

/** Scales a row to sum to 1; a row of zeros becomes uniform, which is what no evidence says. */
function normaliseRow(values: Float64Array, row: number, k: number): void {
  let sum = 0;
  for (let j = 0; j < k; j++) sum += values[row * k + j]!;
  for (let j = 0; j < k; j++) values[row * k + j] = sum > 0 ? values[row * k + j]! / sum : 1 / k;
}

function largestChange(before: Float64Array, after: Float64Array): number {
  let largest = 0;
  for (let index = 0; index < before.length; index++) {
    largest = Math.max(largest, Math.abs(before[index]! - after[index]!));
  }
  return largest;
}
