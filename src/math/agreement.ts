/**
 * @file How far annotators agree, raw and corrected for chance. Agreement is never accuracy: two passes of one teacher may
 * agree on the same mistake.
 *
 * Sources: Cohen, Educational and Psychological Measurement 20 (1960); interval by Fleiss, Cohen & Everitt, Psychological
 * Bulletin 72 (1969); Krippendorff, Computing Krippendorff's Alpha-Reliability (2011).
 */

import { type BootstrapOptions, bootstrapEstimate } from "./bootstrap.ts";
import { checkClasses, checkLength } from "./check.ts";
import { type Estimate, proportionEstimate } from "./estimate.ts";
import { twoSidedZ } from "./normal.ts";

/** Share of rows on which both gave the same label; `[n]` class indices each. Interval: Clopper–Pearson. */
export function observedAgreement(first: ArrayLike<number>, second: ArrayLike<number>): Estimate {
  checkLength("second", second, first.length);
  let same = 0;
  for (let row = 0; row < first.length; row++) if (first[row] === second[row]) same++;
  return proportionEstimate(same, first.length);
}

/**
 * Cohen's κ of two annotators over `k` classes, in [−1, 1]: 0 is chance, 1 is perfect. Large-sample interval. Undefined
 * where both gave every row the same one label: chance alone then explains everything.
 */
export function cohenKappa(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  k: number,
  confidence = 0.95,
): Estimate | undefined {
  const joint = jointShares(first, second, k);
  const { rows, columns, observed, chance } = margins(joint, k);
  if (chance === 1) return undefined;
  const n = first.length;
  const value = (observed - chance) / (1 - chance);
  const standardError = Math.sqrt(kappaVariance({ joint, rows, columns, chance, kappa: value }) / n);
  const halfWidth = twoSidedZ(confidence) * standardError;
  return { value, low: Math.max(-1, value - halfWidth), high: Math.min(1, value + halfWidth), n };
}

/** Shares of rows by (first, second): `[k, k]`, summing to 1. */
function jointShares(first: ArrayLike<number>, second: ArrayLike<number>, k: number): Float64Array {
  checkLength("second", second, first.length);
  if (first.length === 0) throw new RangeError("agreement needs at least one row");
  checkClasses("first", first, k);
  checkClasses("second", second, k);
  const joint = new Float64Array(k * k);
  for (let row = 0; row < first.length; row++) joint[first[row]! * k + second[row]!]! += 1;
  return joint.map((count) => count / first.length);
}

function margins(joint: Float64Array, k: number) {
  const [rows, columns] = [new Float64Array(k), new Float64Array(k)];
  let observed = 0;
  for (let i = 0; i < k; i++) {
    observed += joint[i * k + i]!;
    for (let j = 0; j < k; j++) {
      rows[i]! += joint[i * k + j]!;
      columns[j]! += joint[i * k + j]!;
    }
  }
  const chance = rows.reduce((sum, share, i) => sum + share * columns[i]!, 0);
  return { rows, columns, observed, chance };
}

type KappaParts = {
  readonly joint: Float64Array;
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  readonly chance: number;
  readonly kappa: number;
};

/** n times the large-sample variance of κ (Fleiss, Cohen & Everitt 1969, eq. 13). */
function kappaVariance({ joint, rows, columns, chance, kappa }: KappaParts): number {
  const k = rows.length;
  let sum = -((kappa - chance * (1 - kappa)) ** 2);
  for (let i = 0; i < k; i++) {
    sum += joint[i * k + i]! * (1 - (rows[i]! + columns[i]!) * (1 - kappa)) ** 2;
    for (let j = 0; j < k; j++) {
      if (i !== j) sum += (1 - kappa) ** 2 * joint[i * k + j]! * (columns[i]! + rows[j]!) ** 2;
    }
  }
  return Math.max(0, sum) / (1 - chance) ** 2;
}

/**
 * Krippendorff's α for nominal labels, any number of annotators and missing labels: 0 is chance, 1 is perfect.
 * `units[i]` holds the labels that row i received. Rows with fewer than two carry nothing. Interval: bootstrap over rows.
 * Undefined where fewer than two rows carry anything or every label is the same.
 */
export function krippendorffAlpha(
  units: readonly (readonly number[])[],
  options: BootstrapOptions,
): Estimate | undefined {
  const pairable = units.filter((labels) => labels.length > 1);
  const all = pairable.map((_, row) => row);
  if (pairable.length < 2 || !Number.isFinite(alphaOf(pairable, all))) return undefined;
  return bootstrapEstimate(pairable.length, (rows) => alphaOf(pairable, rows), options);
}

/** 1 − D_o/D_e; NaN where every label is the same. */
function alphaOf(units: readonly (readonly number[])[], rows: Iterable<number>): number {
  const totals = new Map<number, number>();
  let [pairable, disagreeing] = [0, 0];
  for (const row of rows) {
    const labels = units[row]!;
    pairable += labels.length;
    disagreeing += disagreement(labels);
    for (const label of labels) totals.set(label, (totals.get(label) ?? 0) + 1);
  }
  let samePairs = 0;
  for (const total of totals.values()) samePairs += total * total;
  return 1 - ((pairable - 1) * disagreeing) / (pairable * pairable - samePairs);
}

/** Off-diagonal coincidences of one row: ordered pairs that differ, over (labels − 1). */
function disagreement(labels: readonly number[]): number {
  let differing = 0;
  for (const one of labels) for (const other of labels) if (one !== other) differing++;
  return differing / (labels.length - 1);
}
