/**
 * @file Everything that a report shows, as one plain immutable value. `collectReport` reads it from the store, the charts,
 * the page and `summary.json` are functions of it; nothing on the page comes from anywhere else.
 *
 * A stage that has not run yet is `Missing`, with the reason and the command that would change it: never a zero.
 */

import type { RoundTraffic } from "../improve/round-traffic.ts";
import type { Seed } from "../math/random.ts";
import type {
  Calibrator,
  Certificate,
  Committee,
  CommitteeTrial,
  Estimate,
  LabelBasis,
  LabelValue,
  NoCertificate,
  NoveltyLimit,
  Reference,
  Rejection,
  Round,
  Split,
  Target,
  TruthBound,
} from "../records.ts";

/** Why a section has nothing to show, and what to run for it to have. */
export type Missing = { readonly missing: string; readonly next: string };
export type Section<T extends object> = Missing | T;

export function isMissing<T extends object>(section: Section<T>): section is Missing {
  return "missing" in section;
}

/** The section, or undefined where it is missing. */
export function present<T extends object>(section: Section<T>): T | undefined {
  return isMissing(section) ? undefined : section;
}

/** Whose word counts as right in a figure: gold labels, else people's rulings, else the teacher's own verdict. */
export type Truth = "gold" | "person" | "teacher";

export type ReportData = {
  readonly task: TaskSummary;
  /** What to know before reading on: that one answer would meet the target. */
  readonly warnings?: readonly string[];
  readonly seed: Seed;
  readonly createdAt: number;
  /** True if any annotation came from a simulated teacher: then its labels, costs and latencies are simulated too. */
  readonly simulatedTeacher: boolean;
  readonly data: DataSection;
  readonly labels: Section<LabelSection>;
  readonly student: Section<StudentSection>;
  readonly evaluation: Section<EvaluationSection>;
  readonly calibration: Section<CalibrationSection>;
  readonly policy: Section<PolicySection>;
  readonly traffic: Section<TrafficSection>;
  readonly latency: Section<LatencySection>;
  readonly rounds: readonly Round[];
  /** Traffic that no round has learned from yet: how much the newest champion escalates. */
  readonly sinceLastRound: RoundTraffic;
  readonly cost: Section<CostSection>;
  readonly provenance: readonly ProvenanceEntry[];
};

export type TaskSummary = {
  readonly name: string;
  readonly inputKind: "image" | "text" | "record";
  readonly classes: readonly LabelValue[];
  readonly instructions: string;
  readonly teacher: string;
  readonly secondTeacher?: string;
  readonly target: Target;
  readonly promptVersion: string;
};

// ── data and labels ─────────────────────────────────────────────────────────────────────────────────────────────────

export type DataSection = {
  readonly rows: number;
  readonly ingested: number;
  readonly traffic: number;
  readonly uniform: number;
  readonly splits: { readonly [S in Split]: number };
  readonly gold: number;
  readonly rejected: {
    readonly count: number;
    readonly byCode: readonly Tally[];
    /** The first ones, by source. */
    readonly examples: readonly Rejection[];
  };
};

export type Tally = { readonly name: string; readonly count: number };

export type LabelSection = {
  /** Labels in force. */
  readonly rows: number;
  readonly byBasis: readonly { readonly basis: LabelBasis; readonly count: number }[];
  readonly byClass: readonly Tally[];
  readonly agreement: Section<AgreementSection>;
  readonly teacherAccuracy: Section<TeacherAccuracy>;
  /** Rows that the teacher never answered inside the schema, in any pass. */
  readonly failed: number;
  readonly failures: readonly { readonly code: string; readonly count: number; readonly example: string }[];
  readonly rulings: number;
  readonly people: number;
  readonly annotations: number;
  readonly teachers: readonly { readonly id: string; readonly simulated: boolean; readonly annotations: number }[];
  readonly spend: SpendSection;
};

export type AgreementSection = {
  /** Between passes 1 and 2. Never accuracy. */
  readonly observed: Estimate;
  /** Cohen's κ; absent where both passes gave every row the same one label. */
  readonly kappa?: Estimate;
  /** Agreement so high that the passes cannot be independent (SCIENCE D5). */
  readonly passesAlike: boolean;
};

export type TeacherAccuracy = Estimate & {
  readonly truth: "gold" | "person";
  readonly method: "ppi++" | "clopper-pearson";
  /** The rulings that it rests on were picked by the review queue, not drawn uniformly. */
  readonly selected: boolean;
};

export type SpendSection = {
  readonly spentUsd: number;
  readonly reservedUsd: number;
  readonly labellingUsd: number;
  readonly trafficUsd: number;
  readonly budgetUsd?: number;
};

// ── student and its measures ────────────────────────────────────────────────────────────────────────────────────────

export type StudentSection = {
  readonly modelId: string;
  readonly trainer: string;
  readonly parameters: number;
  readonly sizeBytes: number;
  readonly trainingRows: number;
  readonly trainingMs: number;
  readonly createdAt: number;
  readonly champion: boolean;
  /** A model trained after the one shown. */
  readonly newerModelId?: string;
  readonly history: readonly { readonly epoch: number; readonly loss: number; readonly accuracy: number }[];
  /** Of students of records. */
  readonly features: readonly FeatureSection[];
  readonly warnings: readonly string[];
};

export type FeatureSection = {
  readonly name: string;
  /** Mean absolute SHAP value over training rows, nats: how much the feature moves a logit. */
  readonly shap: number;
  /** Mean gain of its splits; 0 without any. */
  readonly gain: number;
};

export type EvaluationSection = {
  readonly truth: Truth;
  /** Held-out rows with a word of that truth. */
  readonly n: number;
  /** Held-out rows in all. */
  readonly heldOut: number;
  readonly classes: readonly LabelValue[];
  /** `[truth][student]`, counts. */
  readonly confusion: readonly (readonly number[])[];
  readonly accuracy: Estimate;
  /** Against every truth for which held-out rows have a word. */
  readonly accuracies: readonly { readonly truth: Truth; readonly accuracy: Estimate }[];
  /** Mean recall over the classes: what a constant predictor cannot fool. */
  readonly balancedAccuracy: Estimate;
  /** Matthews correlation, in [−1, 1]; 0 is what a constant predictor gets. */
  readonly mcc: Estimate;
  /** What always naming the commonest class would score. */
  readonly constantAccuracy: number;
  /** Half the interval that n rows allow at this accuracy (SCIENCE D12): smaller differences mean nothing. */
  readonly resolution: number;
  readonly perClass: readonly ClassMeasures[];
  readonly confusions: readonly ConfusionPair[];
};

export type ClassMeasures = {
  readonly label: LabelValue;
  /** Rows of this class by the truth. */
  readonly support: number;
  /** Absent where the student never says it, or no row is of the class. */
  readonly precision?: Estimate;
  readonly recall?: Estimate;
  readonly f1?: Estimate;
};

export type ConfusionPair = {
  readonly truth: LabelValue;
  readonly student: LabelValue;
  readonly count: number;
  /** Of all rows of that truth. */
  readonly share: number;
  readonly examples: readonly ConfusionExample[];
};

export type ConfusionExample = {
  /** Calibrated, of the wrong class that the student named. */
  readonly confidence: number;
  readonly source: string;
  readonly teacher?: LabelValue;
  readonly shown:
    | { readonly kind: "image"; readonly dataUri: string }
    | { readonly kind: "text"; readonly text: string };
};

export type CalibrationSection = {
  readonly truth: Truth;
  readonly n: number;
  readonly calibrator?: Calibrator;
  readonly bins: readonly ReliabilityBin[];
  readonly ece: Estimate;
  /** Of the plain softmax, before the calibrator. */
  readonly eceBefore: Estimate;
  /** Mean squared distance of all probabilities from what happened, in [0, 2]; lower is better. */
  readonly brier: Estimate;
  /** Mean −ln of the probability given to the right class, nats; lower is better. */
  readonly nll: Estimate;
  /** P(a right row is more confident than a wrong one); absent where all rows are right, or all wrong. */
  readonly auroc?: Estimate;
  /** Share of the errors among the least confident fifth of rows; 0.2 is chance. Absent where there are no errors. */
  readonly errorsInLeastConfident?: Estimate;
  readonly histogram: readonly ConfidenceBin[];
};

/** Equal-mass bin. */
export type ReliabilityBin = { readonly confidence: number; readonly accuracy: Estimate };
/** Equal-width bin. */
export type ConfidenceBin = {
  readonly from: number;
  readonly to: number;
  readonly right: number;
  readonly wrong: number;
};

// ── policy ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export type PolicySection = {
  readonly policyId: string;
  readonly target: Target;
  readonly reference: Reference;
  readonly threshold?: number;
  readonly novelty?: NoveltyLimit;
  readonly never?: readonly LabelValue[];
  /** Heard before the student answers; thresholds are then compared with the committee's score. */
  readonly committee?: Committee;
  readonly committeeTrial?: CommitteeTrial;
  readonly certificate?: Certificate;
  readonly noCertificate?: NoCertificate;
  /** What a certificate against the teacher says of the truth. */
  readonly truth?: TruthBound;
  /** Why the policy answers nothing any more. */
  readonly voided?: string;
  /** The task asks another question now than the one that was certified: the certificate is void. */
  readonly promptChanged: boolean;
  readonly coverage: Estimate;
  readonly selectiveRisk: Estimate;
  readonly warnings: readonly string[];
  readonly curve: Section<RiskCoverage>;
  readonly thresholds: readonly ThresholdRow[];
};

/** Where the threshold lies on the scale of confidence: nowhere, where a committee's score is compared with it. */
export const confidenceThreshold = (policy: PolicySection | undefined): number | undefined =>
  policy?.committee ? undefined : policy?.threshold;

export type RiskCoverage = {
  readonly truth: Truth;
  readonly n: number;
  readonly aurc: Estimate;
  /** From the strictest threshold to the loosest. */
  readonly points: readonly { readonly coverage: number; readonly risk: number }[];
  /** Where the policy's threshold lies on it. */
  readonly chosen?: { readonly coverage: number; readonly risk: number };
};

export type ThresholdRow = {
  readonly threshold: number;
  /** The one that the policy serves with. */
  readonly chosen: boolean;
  readonly escalated: Estimate;
  /** Held-out rows that stay with the student. */
  readonly answered: number;
  /** Of what stays; absent where nothing does. */
  readonly accuracy?: Estimate;
  /** The student on what stays, the teacher on the rest; of the rows that the teacher has answered, if any. */
  readonly togetherAccuracy?: Estimate;
  /** Absent where the teacher's price is unknown. */
  readonly perThousandUsd?: number;
};

// ── serving ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export type TrafficSection = {
  readonly requests: number;
  readonly byRoute: readonly Tally[];
  readonly byReason: readonly Tally[];
  readonly escalated: Estimate;
  /** Degraded because the budget was spent; absent where none was. */
  readonly overBudget?: Estimate;
  readonly from: number;
  readonly to: number;
};

export type LatencySection = {
  readonly student?: LatencyQuantiles;
  /** `measured`: bytes to label, one row at a time, in this process; `served`: request to response, from decisions. */
  readonly studentBasis: "measured" | "served";
  /** In batches where measured; from single requests, one after another, where served. */
  readonly imagesPerSecond?: number;
  readonly teacher?: LatencyQuantiles;
  /** Teacher p50 ÷ student p50. */
  readonly speedup?: number;
};

export type LatencyQuantiles = { readonly p50Ms: number; readonly p95Ms: number; readonly n: number };

// ── cost ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The worksheet, by the cost identity (SCIENCE D11). */
export type CostSection = {
  readonly inputs: CostInputs;
  readonly volumes: readonly VolumeCost[];
  /** Requests a month from which the wheel is the cheaper; absent where it never is. */
  readonly breakEvenPerMonth?: number;
  /** Requests after which the saving on teacher calls has paid for labelling and rulings so far. */
  readonly paidBackAfter?: number;
  /** At `referenceVolume` requests a month. */
  readonly referenceVolume: number;
  readonly perThousandLlmUsd: number;
  readonly perThousandFlywheelUsd: Range;
  readonly savedShare: Range;
  readonly savedPerMonthUsd: Range;
  readonly assumptions: readonly string[];
};

/** From the interval of coverage: what it would be at its low and high end. */
export type Range = { readonly value: number; readonly low: number; readonly high: number };

export type CostInputs = {
  /** Mean price of one teacher answer. */
  readonly teacherPerCallUsd: number;
  readonly coverage: Estimate;
  /** Share of all traffic that the student could answer and that is shown to the teacher all the same. */
  readonly auditedShare: number;
  readonly hostingPerMonthUsd: number;
  /** Requests that one host serves a month at the utilisation assumed. */
  readonly hostCapacityPerMonth?: number;
  readonly reviewPerRulingUsd: number;
  readonly rulingsPerMonthAtMost: number;
  readonly warmUpUsd: { readonly labelling: number; readonly rulings: number };
  readonly warmUpMonths: number;
  readonly retrainPerMonthUsd: number;
};

export type VolumeCost = {
  readonly perMonth: number;
  readonly llmUsd: number;
  readonly hostingUsd: number;
  readonly escalationsUsd: number;
  readonly auditsUsd: number;
  readonly rulingsUsd: number;
  readonly retrainUsd: number;
  readonly warmUpUsd: number;
  readonly flywheelUsd: number;
  readonly savedShare: number;
};

export type ProvenanceEntry = { readonly name: string; readonly value: string };
