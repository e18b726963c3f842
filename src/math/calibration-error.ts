/**
 * @file Does confidence match frequency? Reliability bins, expected calibration error, Brier score and log loss.
 *
 * Sources: Naeini, Cooper & Hauskrecht, AAAI 2015 (ECE); Nixon et al., CVPR-W 2019 (equal-mass bins); Brier (1950). ECE is
 * biased upwards on few rows: compare models by log loss, read ECE with its interval.
 */

import { type BootstrapOptions, bootstrapEstimate } from "./bootstrap.ts";
import { checkClasses, checkLength, checkShares } from "./check.ts";
import { type Estimate, meanEstimate, proportionEstimate } from "./estimate.ts";

export type Judged = {
  /** `[n]`, in [0, 1]: the probability given to the predicted class. */
  readonly confidence: ArrayLike<number>;
  /** `[n]`: 1 if that class is right, else 0. */
  readonly correct: ArrayLike<number>;
};

export type ReliabilityBin = {
  /** Least and largest confidence inside. */
  readonly low: number;
  readonly high: number;
  readonly meanConfidence: number;
  readonly accuracy: Estimate;
};

/** min(15, ⌊n/30⌋), at least 1: fewer than 30 rows a bin measure noise. */
export function binCount(n: number): number {
  return Math.max(1, Math.min(15, Math.floor(n / 30)));
}

/** Equal-mass bins by rising confidence; equal confidences are never parted, so there may be fewer than asked for. */
export function reliabilityBins(judged: Judged, bins = binCount(judged.confidence.length)): ReliabilityBin[] {
  const { confidence, correct } = sortByConfidence(judged);
  const all = Int32Array.from({ length: confidence.length }, (_, row) => row);
  return binEdges(confidence, all, bins).map(([from, to]) => {
    const members = confidence.subarray(from, to);
    return {
      low: members[0]!,
      high: members[members.length - 1]!,
      meanConfidence: members.reduce((sum, value) => sum + value, 0) / members.length,
      accuracy: proportionEstimate(
        correct.subarray(from, to).reduce((sum, value) => sum + value, 0),
        to - from,
      ),
    };
  });
}

/**
 * Expected calibration error Σ_b (m_b/n)·|accuracy_b − confidence_b| over equal-mass bins, in [0, 1]; lower is better.
 * Interval: bootstrap, shifted by its own estimate of bias.
 */
export function expectedCalibrationError(
  judged: Judged,
  options: BootstrapOptions & { readonly bins?: number },
): Estimate {
  const { bins = binCount(judged.confidence.length), ...bootstrap } = options;
  const sorted = sortByConfidence(judged);
  const estimate = bootstrapEstimate(sorted.correct.length, (rows) => eceOf(sorted, rows, bins), {
    ...bootstrap,
    centred: true,
  });
  return { ...estimate, low: Math.max(0, estimate.low), high: Math.min(1, estimate.high) };
}

/** Mean squared distance Σ_c (p_c − 1[c is right])², in [0, 2]; lower is better. `probabilities`: `[n, k]`. */
export function brierScore(probabilities: ArrayLike<number>, reference: ArrayLike<number>, k: number): Estimate {
  return meanOverRows(probabilities, { reference, k }, (row) => {
    let sum = 0;
    for (let c = 0; c < k; c++) sum += (probabilities[row * k + c]! - Number(c === reference[row])) ** 2;
    return sum;
  });
}

/** Mean −ln p of the right class, nats; lower is better. `probabilities`: `[n, k]`. */
export function logLoss(probabilities: ArrayLike<number>, reference: ArrayLike<number>, k: number): Estimate {
  return meanOverRows(probabilities, { reference, k }, (row) => negativeLog(probabilities[row * k + reference[row]!]!));
}

/** Mean −ln of the probability given to what happened (right or wrong), nats; lower is better. */
export function confidenceLogLoss({ confidence, correct }: Judged): number {
  checkLength("correct", correct, confidence.length);
  let sum = 0;
  for (let row = 0; row < confidence.length; row++) {
    sum += negativeLog(correct[row] ? confidence[row]! : 1 - confidence[row]!);
  }
  return sum / confidence.length;
}

/** Keeps the loss of a prediction that was certain and wrong finite: at most 34.5 nats. */
const LEAST_PROBABILITY = 1e-15;
const negativeLog = (p: number): number => -Math.log(Math.max(LEAST_PROBABILITY, p));

type Reference = { readonly reference: ArrayLike<number>; readonly k: number };

function meanOverRows(
  probabilities: ArrayLike<number>,
  { reference, k }: Reference,
  score: (row: number) => number,
): Estimate {
  checkLength("probabilities", probabilities, reference.length * k);
  checkShares("probabilities", probabilities);
  checkClasses("reference", reference, k);
  return meanEstimate(Float64Array.from({ length: reference.length }, (_, row) => score(row)));
}

type Sorted = { readonly confidence: Float64Array; readonly correct: Float64Array };

function sortByConfidence({ confidence, correct }: Judged): Sorted {
  checkLength("correct", correct, confidence.length);
  checkShares("confidence", confidence);
  const order = Array.from({ length: confidence.length }, (_, row) => row).sort(
    (a, b) => confidence[a]! - confidence[b]!,
  );
  return {
    confidence: Float64Array.from(order, (row) => confidence[row]!),
    correct: Float64Array.from(order, (row) => correct[row]!),
  };
}

function eceOf({ confidence, correct }: Sorted, rows: Int32Array, bins: number): number {
  let sum = 0;
  for (const [from, to] of binEdges(confidence, rows, bins)) {
    let gap = 0;
    for (let place = from; place < to; place++) gap += correct[rows[place]!]! - confidence[rows[place]!]!;
    sum += Math.abs(gap);
  }
  return sum / rows.length;
}

/** Places [from, to) of each bin among `rows`, whose confidences ascend. An edge inside a tie moves up to its end. */
function binEdges(confidence: Float64Array, rows: Int32Array, bins: number): [number, number][] {
  const edges: [number, number][] = [];
  let from = 0;
  for (let bin = 1; bin <= bins; bin++) {
    let to = Math.max(from, Math.floor((bin * rows.length) / bins));
    while (to > from && to < rows.length && confidence[rows[to]!] === confidence[rows[to - 1]!]) to++;
    if (to > from) edges.push([from, to]);
    from = to;
  }
  return edges;
}
