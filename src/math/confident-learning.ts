/**
 * @file Which labels are likely wrong, from out-of-fold predictions. Its queue goes to people; it never flips a label.
 *
 * Source: Northcutt, Jiang & Chuang, JAIR 70 (2021), with the calibrated confident joint and prune-by-noise-rate of
 * cleanlab.
 */

import { checkClasses, checkCount, checkFinite, checkLength } from "./check.ts";

export type ConfidentLearning = {
  /** `[k]`: mean p̂_j over rows labelled j; Infinity for a class without labels, so that nothing is confidently in it. */
  readonly thresholds: Float64Array;
  /** `[k, k]`: confident counts by label (row) and confident class (column). */
  readonly confidentCounts: Float64Array;
  /** `[k, k]`: estimated joint shares of label and truth, summing to 1. */
  readonly joint: Float64Array;
  /** `[n]`, in [−1, 1]: p̂ of the label minus the largest other. Lower is worse: likelier a wrong label. */
  readonly margin: Float64Array;
  /** Estimated share of wrong labels. */
  readonly noiseRate: number;
  /** Rows flagged by noise rate, worst margin first. */
  readonly suspects: Int32Array;
};

/** @param labels `[n]` class indices @param probabilities `[n, k]`, out of fold */
export function confidentLearning(labels: Int32Array, probabilities: ArrayLike<number>, k: number): ConfidentLearning {
  checkCount("k", k, 2);
  checkClasses("labels", labels, k);
  checkLength("probabilities", probabilities, labels.length * k);
  checkFinite("probabilities", probabilities);
  const data = { labels, probabilities, k };
  const thresholds = classThresholds(data);
  const confidentCounts = countConfident(data, thresholds);
  const joint = calibrateJoint(confidentCounts, labels, k);
  const margin = labelMargins(data);
  const noiseRate = offDiagonal(joint, k);
  return { thresholds, confidentCounts, joint, margin, noiseRate, suspects: prune(data, joint, margin) };
}

type Data = { readonly labels: Int32Array; readonly probabilities: ArrayLike<number>; readonly k: number };

function classThresholds({ labels, probabilities, k }: Data): Float64Array {
  const [sums, counts] = [new Float64Array(k), new Float64Array(k)];
  labels.forEach((label, row) => {
    sums[label]! += probabilities[row * k + label]!;
    counts[label]! += 1;
  });
  return sums.map((sum, label) => (counts[label]! > 0 ? sum / counts[label]! : Infinity));
}

/** C[i][j] += 1 for label i, j the likeliest among the classes whose threshold p̂ reaches. */
function countConfident({ labels, probabilities, k }: Data, thresholds: Float64Array): Float64Array {
  const counts = new Float64Array(k * k);
  labels.forEach((label, row) => {
    let best = -1;
    for (let j = 0; j < k; j++) {
      const p = probabilities[row * k + j]!;
      if (p >= thresholds[j]! && (best < 0 || p > probabilities[row * k + best]!)) best = j;
    }
    if (best >= 0) counts[label * k + best]! += 1;
  });
  return counts;
}

/** Rows scaled to the label counts, all to sum 1. A labelled class without any confident row is taken to be right. */
function calibrateJoint(counts: Float64Array, labels: Int32Array, k: number): Float64Array {
  const labelled = new Float64Array(k);
  for (const label of labels) labelled[label]! += 1;
  const joint = new Float64Array(k * k);
  for (let i = 0; i < k; i++) {
    const confident = counts.subarray(i * k, (i + 1) * k).reduce((sum, count) => sum + count, 0);
    for (let j = 0; j < k; j++) {
      const share = confident > 0 ? counts[i * k + j]! / confident : Number(i === j);
      joint[i * k + j] = labels.length > 0 ? (share * labelled[i]!) / labels.length : 0;
    }
  }
  return joint;
}

function labelMargins({ labels, probabilities, k }: Data): Float64Array {
  return Float64Array.from(labels, (label, row) => {
    let other = -Infinity;
    for (let j = 0; j < k; j++) if (j !== label) other = Math.max(other, probabilities[row * k + j]!);
    return probabilities[row * k + label]! - other;
  });
}

function offDiagonal(joint: Float64Array, k: number): number {
  return joint.reduce((sum, share, index) => (index % (k + 1) === 0 ? sum : sum + share), 0);
}

/** For i ≠ j, the n·Q̂[i][j] rows of label i with the largest p̂_j − p̂_i. */
function prune({ labels, probabilities, k }: Data, joint: Float64Array, margin: Float64Array): Int32Array {
  const byLabel: number[][] = Array.from({ length: k }, () => []);
  labels.forEach((label, row) => void byLabel[label]!.push(row));
  const suspects = new Set<number>();
  byLabel.forEach((rows, i) => {
    for (let j = 0; j < k; j++) {
      const take = i === j ? 0 : Math.round(joint[i * k + j]! * labels.length);
      const excess = (row: number) => probabilities[row * k + j]! - probabilities[row * k + i]!;
      const worst = take > 0 ? [...rows].sort((a, b) => excess(b) - excess(a)).slice(0, take) : [];
      for (const row of worst) suspects.add(row);
    }
  });
  return Int32Array.from([...suspects].sort((a, b) => margin[a]! - margin[b]! || a - b));
}
