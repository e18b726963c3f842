/**
 * @file How well a classifier does: confusion matrix, accuracy, per-class precision, recall and F1, and the two measures
 * that a constant predictor cannot fool (balanced accuracy, Matthews correlation), each with its interval.
 */

import { type BootstrapOptions, bootstrapEstimate } from "./bootstrap.ts";
import { checkClasses, checkLength } from "./check.ts";
import { type Estimate, proportionEstimate } from "./estimate.ts";

export type ClassMetrics = {
  /** Rows whose reference is this class. */
  readonly support: number;
  /** Undefined where the class was never predicted. */
  readonly precision: Estimate | undefined;
  /** Undefined where the class never occurs. */
  readonly recall: Estimate | undefined;
  /** Undefined where the class neither occurs nor is predicted. */
  readonly f1: Estimate | undefined;
};

export type ClassificationReport = {
  /** `[k][k]` counts: row the reference, column the prediction. */
  readonly confusion: readonly (readonly number[])[];
  readonly accuracy: Estimate;
  readonly balancedAccuracy: Estimate;
  readonly mcc: Estimate;
  readonly perClass: readonly ClassMetrics[];
};

export type Outcomes = {
  /** `[n]` class indices. */
  readonly reference: ArrayLike<number>;
  readonly predicted: ArrayLike<number>;
  readonly k: number;
};

/** Rates get exact intervals; balanced accuracy and MCC bootstrapped ones. @throws RangeError for no rows */
export function classificationReport(outcomes: Outcomes, options: BootstrapOptions): ClassificationReport {
  const { reference, predicted, k } = outcomes;
  const counts = confusionMatrix(outcomes);
  const n = reference.length;
  const overRows = (measure: (counts: Float64Array, k: number) => number) =>
    bootstrapEstimate(n, (rows) => measure(countPairs(reference, predicted, { k, rows }), k), options);
  return {
    confusion: Array.from({ length: k }, (_, i) => [...counts.subarray(i * k, (i + 1) * k)]),
    accuracy: proportionEstimate(trace(counts, k), n),
    balancedAccuracy: overRows(balancedAccuracy),
    mcc: overRows(matthewsCorrelation),
    perClass: Array.from({ length: k }, (_, c) => classMetrics(counts, k, c)),
  };
}

/** `[k, k]` counts: row the reference, column the prediction. */
export function confusionMatrix({ reference, predicted, k }: Outcomes): Float64Array {
  checkLength("predicted", predicted, reference.length);
  checkClasses("reference", reference, k);
  checkClasses("predicted", predicted, k);
  return countPairs(reference, predicted, { k, rows: Int32Array.from({ length: reference.length }, (_, row) => row) });
}

/** Mean recall over the classes that occur; NaN for no rows. */
export function balancedAccuracy(counts: Float64Array, k: number): number {
  let [sum, classes] = [0, 0];
  for (let c = 0; c < k; c++) {
    const support = sumOf(counts.subarray(c * k, (c + 1) * k));
    if (support === 0) continue;
    sum += counts[c * k + c]! / support;
    classes++;
  }
  return sum / classes;
}

/**
 * Matthews correlation for K classes (Gorodkin, Computational Biology and Chemistry 28, 2004), in [−1, 1]: 0 is what a
 * constant predictor gets, 1 is perfect. 0 where reference or prediction never varies, as in scikit-learn.
 */
export function matthewsCorrelation(counts: Float64Array, k: number): number {
  const total = sumOf(counts);
  let [products, references, predictions] = [0, 0, 0];
  for (let c = 0; c < k; c++) {
    const [support, predicted] = [rowSum(counts, k, c), columnSum(counts, k, c)];
    products += support * predicted;
    references += support * support;
    predictions += predicted * predicted;
  }
  const spread = (total * total - references) * (total * total - predictions);
  return spread > 0 ? (trace(counts, k) * total - products) / Math.sqrt(spread) : 0;
}

function classMetrics(counts: Float64Array, k: number, c: number): ClassMetrics {
  const hits = counts[c * k + c]!;
  const [support, predicted] = [rowSum(counts, k, c), columnSum(counts, k, c)];
  return {
    support,
    precision: predicted > 0 ? proportionEstimate(hits, predicted) : undefined,
    recall: support > 0 ? proportionEstimate(hits, support) : undefined,
    f1: support + predicted > 0 ? f1Estimate(hits, support + predicted - hits) : undefined,
  };
}

/**
 * F1 = 2J/(1 + J), where J = hits/(hits + misses + false alarms) is a plain proportion: so the exact interval of J, mapped,
 * is an exact interval of F1 given the rows that concern the class.
 */
function f1Estimate(hits: number, concerned: number): Estimate {
  const { value, low, high, n } = proportionEstimate(hits, concerned);
  const toF1 = (jaccard: number) => (2 * jaccard) / (1 + jaccard);
  return { value: toF1(value), low: toF1(low), high: toF1(high), n };
}

type Pairs = { readonly k: number; readonly rows: Int32Array };

function countPairs(reference: ArrayLike<number>, predicted: ArrayLike<number>, { k, rows }: Pairs): Float64Array {
  const counts = new Float64Array(k * k);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place]!;
    counts[reference[row]! * k + predicted[row]!]! += 1;
  }
  return counts;
}

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
const rowSum = (counts: Float64Array, k: number, c: number): number => sumOf(counts.subarray(c * k, (c + 1) * k));

function columnSum(counts: Float64Array, k: number, c: number): number {
  let sum = 0;
  for (let i = 0; i < k; i++) sum += counts[i * k + c]!;
  return sum;
}

function trace(counts: Float64Array, k: number): number {
  let sum = 0;
  for (let c = 0; c < k; c++) sum += counts[c * k + c]!;
  return sum;
}
