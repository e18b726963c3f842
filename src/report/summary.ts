/**
 * @file `summary.json`: the report's figures for programs. Its shape is a promise; what a stage that has not run would have
 * filled is null, never a made-up number.
 */

import { z } from "zod";
import type { CommitteeTrial, Estimate, Target } from "../records.ts";
import { present, type ReportData } from "./report-data.ts";

const share = z.number().min(0).max(1);

const SummaryEstimate = z.strictObject({
  value: z.number(),
  low: z.number(),
  high: z.number(),
  n: z.int().min(0),
});

const Labels = z.strictObject({
  rows: z.int(),
  /** Between two teacher passes; null where no row has two, or κ has no value. Never accuracy. */
  agreement: z.strictObject({ observed: share.nullable(), kappa: z.number().nullable() }),
  teacherAccuracy: SummaryEstimate.nullable(),
  costUsd: z.number(),
  failed: z.int(),
});

const StudentSummary = z.strictObject({
  name: z.string(),
  parameters: z.int(),
  bytes: z.int(),
  accuracy: SummaryEstimate,
  ece: SummaryEstimate,
  /** `[truth][student]`, in the order of `classes`. */
  confusion: z.array(z.array(z.int())),
  classes: z.array(z.string()),
});

const PolicySummary = z.strictObject({
  target: z.strictObject({ kind: z.enum(["regret", "selective"]), risk: z.number(), delta: z.number() }),
  threshold: z.number().nullable(),
  certified: z.boolean(),
  coverage: SummaryEstimate,
  selectiveRisk: SummaryEstimate,
  reference: z.enum(["teacher", "person"]),
  n: z.int(),
  /** Only where the task offers a committee; where it is kept, the threshold is one of its score. */
  committee: z
    .strictObject({
      kind: z.enum(["folds", "predecessors"]),
      size: z.int(),
      kept: z.boolean(),
      why: z.string(),
      p: z.number().nullable(),
    })
    .optional(),
});

const ThresholdSummary = z.strictObject({
  threshold: z.number(),
  escalated: share,
  /** Of what stays; its n is `answered`, and where that is 0 it says nothing: ½ in [0, 1]. */
  accuracy: SummaryEstimate,
  answered: z.int(),
});

const LatencySummary = z.strictObject({
  studentP50Ms: z.number().nullable(),
  studentP95Ms: z.number().nullable(),
  imagesPerSecond: z.number().nullable(),
  teacherP50Ms: z.number().nullable(),
  speedup: z.number().nullable(),
});

const CostSummary = z.strictObject({
  perThousandLlmUsd: z.number(),
  /** At a million requests a month, everything included. */
  perThousandFlywheelUsd: z.number(),
  savedShare: z.number(),
  /** A month; null where the wheel is never the cheaper. */
  breakEvenRequests: z.int().nullable(),
});

const RoundSummary = z.strictObject({
  round: z.int(),
  labels: z.int(),
  escalated: share,
  accuracy: SummaryEstimate,
  coverage: SummaryEstimate,
  promoted: z.boolean(),
  costUsd: z.number(),
});

export const Summary = z.strictObject({
  task: z.string(),
  seed: z.union([z.string(), z.number()]),
  simulatedTeacher: z.boolean(),
  labels: Labels,
  student: StudentSummary.nullable(),
  policy: PolicySummary.nullable(),
  thresholds: z.array(ThresholdSummary),
  latency: LatencySummary,
  cost: CostSummary.nullable(),
  rounds: z.array(RoundSummary),
});
export type Summary = z.output<typeof Summary>;

/** Of a task of several fields: the same of each. */
export const FieldsSummary = z.strictObject({
  task: z.string(),
  seed: z.union([z.string(), z.number()]),
  simulatedTeacher: z.boolean(),
  fields: z.record(z.string(), Summary),
});
export type FieldsSummary = z.output<typeof FieldsSummary>;

/** Nothing seen: no value is likelier than another. */
const unknown: Estimate = { value: 0.5, low: 0, high: 1, n: 0 };

export function summaryOf(data: ReportData): Summary {
  return {
    task: data.task.name,
    seed: data.seed,
    simulatedTeacher: data.simulatedTeacher,
    labels: labelsOf(data),
    student: studentOf(data),
    policy: policyOf(data),
    thresholds: thresholdsOf(data),
    latency: latencyOf(data),
    cost: costOf(data),
    rounds: data.rounds.map(({ round, labels, escalated, accuracy, coverage, promoted, costUsd }) => ({
      round,
      labels,
      escalated: escalated.value,
      accuracy: plain(accuracy),
      coverage: plain(coverage),
      promoted,
      costUsd,
    })),
  };
}

/** Estimates may carry more than the four figures of the promise. */
const plain = ({ value, low, high, n }: Estimate): Estimate => ({ value, low, high, n });

function labelsOf({ labels }: ReportData): Summary["labels"] {
  const section = present(labels);
  if (!section) {
    return { rows: 0, agreement: { observed: null, kappa: null }, teacherAccuracy: null, costUsd: 0, failed: 0 };
  }
  const agreement = present(section.agreement);
  const accuracy = present(section.teacherAccuracy);
  return {
    rows: section.rows,
    agreement: { observed: agreement?.observed.value ?? null, kappa: agreement?.kappa?.value ?? null },
    teacherAccuracy: accuracy ? plain(accuracy) : null,
    costUsd: section.spend.spentUsd,
    failed: section.failed,
  };
}

function studentOf({ student, evaluation, calibration }: ReportData): Summary["student"] {
  const [card, measured, calibrated] = [present(student), present(evaluation), present(calibration)];
  if (!card || !measured || !calibrated) return null;
  return {
    name: card.trainer,
    parameters: card.parameters,
    bytes: card.sizeBytes,
    accuracy: plain(measured.accuracy),
    ece: plain(calibrated.ece),
    confusion: measured.confusion.map((row) => [...row]),
    classes: [...measured.classes],
  };
}

function policyOf({ policy }: ReportData): Summary["policy"] {
  const section = present(policy);
  if (!section) return null;
  return {
    target: plainTarget(section.target),
    threshold: section.threshold ?? null,
    certified: section.certificate !== undefined && section.voided === undefined && !section.promptChanged,
    coverage: plain(section.coverage),
    selectiveRisk: plain(section.selectiveRisk),
    reference: section.reference,
    n: section.certificate?.n ?? section.coverage.n,
    ...(section.committeeTrial && { committee: shownTrial(section.committeeTrial) }),
  };
}

const shownTrial = ({ kind, size, kept, why, comparison }: CommitteeTrial) => ({
  kind,
  size,
  kept,
  why,
  p: comparison?.p ?? null,
});

const plainTarget = ({ kind, risk, delta }: Target): Target => ({ kind, risk, delta });

function thresholdsOf({ policy }: ReportData): Summary["thresholds"] {
  return (present(policy)?.thresholds ?? []).map(({ threshold, escalated, accuracy, answered }) => ({
    threshold,
    escalated: escalated.value,
    accuracy: plain(accuracy ?? unknown),
    answered,
  }));
}

function latencyOf({ latency }: ReportData): Summary["latency"] {
  const timed = present(latency);
  return {
    studentP50Ms: timed?.student?.p50Ms ?? null,
    studentP95Ms: timed?.student?.p95Ms ?? null,
    imagesPerSecond: timed?.imagesPerSecond ?? null,
    teacherP50Ms: timed?.teacher?.p50Ms ?? null,
    speedup: timed?.speedup ?? null,
  };
}

function costOf({ cost }: ReportData): Summary["cost"] {
  const section = present(cost);
  if (!section) return null;
  return {
    perThousandLlmUsd: section.perThousandLlmUsd,
    perThousandFlywheelUsd: section.perThousandFlywheelUsd.value,
    savedShare: section.savedShare.value,
    breakEvenRequests: section.breakEvenPerMonth ?? null,
  };
}
