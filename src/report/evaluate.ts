/** @file Measures of the student on held-out rows: what it gets right, what it mistakes, whether its confidence means it. */

import type { BootstrapOptions } from "../math/bootstrap.ts";
import { brierScore, expectedCalibrationError, logLoss, reliabilityBins } from "../math/calibration-error.ts";
import { classificationReport } from "../math/classification.ts";
import { type Estimate, proportionEstimate } from "../math/estimate.ts";
import { twoSidedZ } from "../math/normal.ts";
import { createRng, fork, type Seed } from "../math/random.ts";
import { riskCoverageCurve, type SelectiveSummary, selectiveSummary } from "../math/selective.ts";
import type { Calibrator, LabelValue } from "../records.ts";
import type { Judged } from "./collect-held-out.ts";
import type {
  CalibrationSection,
  ClassMeasures,
  ConfidenceBin,
  EvaluationSection,
  RiskCoverage,
  ThresholdRow,
} from "./report-data.ts";

/** Enough for 95 % percentile intervals that no longer move in the second digit. */
const RESAMPLES = 1000;

const bootstrap = (seed: Seed, purpose: string): BootstrapOptions => ({
  rng: createRng(fork(seed, "report", purpose)),
  resamples: RESAMPLES,
});

export type Evaluation = Omit<EvaluationSection, "accuracies" | "confusions" | "heldOut">;

export function evaluate(judged: Judged, classes: readonly LabelValue[], seed: Seed): Evaluation {
  const k = classes.length;
  const n = judged.reference.length;
  const report = classificationReport({ ...judged, k }, bootstrap(seed, "classification"));
  return {
    truth: judged.truth,
    n,
    classes,
    confusion: report.confusion,
    accuracy: report.accuracy,
    balancedAccuracy: report.balancedAccuracy,
    mcc: report.mcc,
    constantAccuracy: Math.max(...report.perClass.map(({ support }) => support)) / n,
    resolution: twoSidedZ(0.95) * Math.sqrt((report.accuracy.value * (1 - report.accuracy.value)) / n),
    perClass: report.perClass.map((measures, index): ClassMeasures => {
      const { support, precision, recall, f1 } = measures;
      return { label: classes[index]!, support, ...defined({ precision, recall, f1 }) };
    }),
  };
}

/** Without the entries that are undefined. */
function defined<K extends string>(
  entries: { readonly [P in K]: Estimate | undefined },
): { readonly [P in K]?: Estimate } {
  const given = Object.entries<Estimate | undefined>(entries).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { readonly [P in K]?: Estimate };
}

export const accuracyOf = ({ correct }: Judged): Estimate => proportionEstimate(sum(correct), correct.length);

/** How well confidence ranks. */
export const ranking = ({ confidence, correct }: Judged, seed: Seed): SelectiveSummary =>
  selectiveSummary({ score: confidence, correct }, bootstrap(seed, "selective"));

export type CalibrationOptions = {
  readonly ranking: SelectiveSummary;
  readonly calibrator?: Calibrator | undefined;
  readonly seed: Seed;
};

/** At least two rows. */
export function calibrationSection(
  judged: Judged,
  { ranking, calibrator, seed }: CalibrationOptions,
): CalibrationSection {
  const { truth, confidence, rawConfidence, correct } = judged;
  const k = judged.probabilities.length / judged.n;
  return {
    truth,
    n: correct.length,
    ...(calibrator && { calibrator }),
    bins: reliabilityBins({ confidence, correct }).map(({ meanConfidence, accuracy }) => ({
      confidence: meanConfidence,
      accuracy,
    })),
    ece: expectedCalibrationError({ confidence, correct }, bootstrap(seed, "ece")),
    eceBefore: expectedCalibrationError({ confidence: rawConfidence, correct }, bootstrap(seed, "ece-before")),
    brier: brierScore(judged.probabilities, judged.reference, k),
    nll: logLoss(judged.probabilities, judged.reference, k),
    ...(ranking.auroc && { auroc: ranking.auroc }),
    ...(ranking.errorShareInLeastConfident && { errorsInLeastConfident: ranking.errorShareInLeastConfident }),
    histogram: confidenceHistogram(judged),
  };
}

const HISTOGRAM_BINS = 20;

/** Bins of 5 % from the lowest that holds anything; the last one includes 1. */
export function confidenceHistogram({
  confidence,
  correct,
}: Pick<Judged, "confidence" | "correct">): readonly ConfidenceBin[] {
  const bins = Array.from({ length: HISTOGRAM_BINS }, (_, bin) => {
    const [from, to] = [bin / HISTOGRAM_BINS, (bin + 1) / HISTOGRAM_BINS];
    return { from, to, right: 0, wrong: 0 };
  });
  for (const [row, value] of confidence.entries()) {
    const bin = bins[Math.min(HISTOGRAM_BINS - 1, Math.floor(value * HISTOGRAM_BINS))]!;
    if (correct[row]) bin.right++;
    else bin.wrong++;
  }
  return bins.slice(bins.findIndex(({ right, wrong }) => right + wrong > 0));
}

export type CurveOptions = { readonly ranking: SelectiveSummary; readonly threshold?: number | undefined };

export function riskCoverage(judged: Judged, { ranking, threshold }: CurveOptions): RiskCoverage {
  const points = riskCoverageCurve(judged).map(({ coverage, risk }) => ({ coverage, risk }));
  const kept = threshold === undefined ? [] : keptRows(judged, threshold);
  const wrong = kept.filter((row) => !judged.correct[row]).length;
  return {
    truth: judged.truth,
    n: judged.correct.length,
    aurc: ranking.aurc,
    points,
    ...(kept.length > 0 && { chosen: { coverage: kept.length / judged.correct.length, risk: wrong / kept.length } }),
  };
}

export type ThresholdOptions = {
  readonly thresholds: readonly number[];
  /** The one in force. */
  readonly chosen?: number | undefined;
  readonly perThousandUsd: (coverage: number) => number | undefined;
};

/** One row for each threshold, ascending, the one in force among them. */
export function thresholdTable(judged: Judged, options: ThresholdOptions): readonly ThresholdRow[] {
  const { chosen } = options;
  const all = chosen === undefined ? options.thresholds : [...options.thresholds, chosen];
  return [...new Set(all)].sort((a, b) => a - b).map((threshold) => thresholdRow(judged, threshold, options));
}

function thresholdRow(judged: Judged, threshold: number, { chosen, perThousandUsd }: ThresholdOptions): ThresholdRow {
  const n = judged.correct.length;
  const kept = keptRows(judged, threshold);
  const right = kept.filter((row) => judged.correct[row]).length;
  const price = perThousandUsd(kept.length / n);
  const together = togetherAccuracy(judged, new Set(kept));
  return {
    threshold,
    chosen: threshold === chosen,
    escalated: proportionEstimate(n - kept.length, n),
    answered: kept.length,
    ...(kept.length > 0 && { accuracy: proportionEstimate(right, kept.length) }),
    ...(together && { togetherAccuracy: together }),
    ...(price !== undefined && { perThousandUsd: price }),
  };
}

const keptRows = ({ score }: Judged, threshold: number): readonly number[] =>
  [...score.keys()].filter((row) => score[row]! >= threshold);

/** Of student and teacher together, on the rows that the teacher has answered; undefined where there are none. */
function togetherAccuracy({ correct, teacherCorrect }: Judged, kept: ReadonlySet<number>): Estimate | undefined {
  const asked = [...teacherCorrect.keys()].filter((row) => teacherCorrect[row] !== undefined);
  if (asked.length === 0) return undefined;
  const right = asked.filter((row) => (kept.has(row) ? correct[row] === 1 : teacherCorrect[row]));
  return proportionEstimate(right.length, asked.length);
}

const sum = (values: Uint8Array): number => values.reduce((total, value) => total + value, 0);
