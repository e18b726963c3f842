/**
 * @file The nouns, in the order in which data flows: row → annotation → label → model → policy → decision → round.
 *
 * Records are plain, immutable and serialisable as JSON (typed arrays aside); every stage reads and writes them through
 * the store, so that each stage can be stopped, restarted and run alone. Times are milliseconds since the epoch, money is
 * US dollars, rates and probabilities lie in [0, 1].
 */

import type { Estimate } from "./math/estimate.ts";

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Hash of a row's normalised content: the same content is the same row, wherever it came from. 64 hex digits. */
export type RowId = Brand<string, "RowId">;
/** Hash of a payload's bytes in the blob store. 64 hex digits. */
export type BlobId = Brand<string, "BlobId">;
/** Hash of what a model was made from: data snapshot, trainer, options, seed, code version. 64 hex digits. */
export type ModelId = Brand<string, "ModelId">;
/** Hash of a policy's content. 64 hex digits. */
export type PolicyId = Brand<string, "PolicyId">;
/** A number in [0, 1]; only `probability()` makes one. */
export type Probability = Brand<number, "Probability">;

/** Brands strings that a hash function of ours has just made, or that the store has just read back. */
export const rowId = (hex: string): RowId => hex as RowId;
export const blobId = (hex: string): BlobId => hex as BlobId;
export const modelId = (hex: string): ModelId => hex as ModelId;
export const policyId = (hex: string): PolicyId => hex as PolicyId;

/** @throws RangeError if `value` is NaN or outside [0, 1] */
export function probability(value: number): Probability {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`a probability lies in [0, 1], got ${value}`);
  return value as Probability;
}

export type { Estimate } from "./math/estimate.ts";

// ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const Split = ["train", "calibrate", "certify"] as const;
export type Split = (typeof Split)[number];

/** Shares of the uniform stream, summing to 1 (SCIENCE D3: 60 / 15 / 25). */
export type SplitShares = { readonly [S in Split]: number };

export type ImageInput = {
  readonly kind: "image";
  /** The file as it came, in the blob store. */
  readonly blob: BlobId;
  readonly width: number;
  readonly height: number;
  readonly mediaType: string;
};
export type TextInput = { readonly kind: "text"; readonly text: string };
export type RecordInput = {
  readonly kind: "record";
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
};
export type Input = ImageInput | TextInput | RecordInput;

export type Row = {
  readonly id: RowId;
  readonly input: Input;
  /** Where it was first seen: a path, `file.csv:12`, or `request <id>`. */
  readonly source: string;
  readonly origin: "ingest" | "traffic";
  /**
   * True where the row belongs to a uniform sample of the stream: everything ingested, and the random share of traffic
   * drawn before routing. Only uniform rows may calibrate, certify or measure; the rest only ever train.
   */
  readonly uniform: boolean;
  /** By hash where the row is uniform (`splitOf`, `trafficSplitOf`); all others train. */
  readonly split: Split;
  /** Probability with which a row of its kind receives a label; 1 for ingested rows. Training weight is min(1/p, 10). */
  readonly propensity: number;
  readonly createdAt: number;
};

/** An input that could not become a row, and why. */
export type Rejection = {
  readonly source: string;
  readonly code: string;
  readonly message: string;
  readonly at: number;
};

// ── annotations and labels ──────────────────────────────────────────────────────────────────────────────────────────

/** A choice's value, or "true" / "false" for a predicate. Scores come with a later issue. */
export type LabelValue = string;

export type Usage = { readonly inputTokens: number; readonly outputTokens: number };

type AnnotationBase = {
  /** Hash of row, annotator, pass and prompt version: writing the same judgement twice changes nothing. */
  readonly id: string;
  readonly rowId: RowId;
  readonly at: number;
  /** Of a task with several fields, the one that is judged. */
  readonly field?: string;
};

/** One teacher pass. `value` is absent where the teacher never gave an answer inside the schema (`failure` says why). */
export type TeacherAnnotation = AnnotationBase & {
  readonly annotator: "teacher";
  /** `provider/model`. */
  readonly teacher: string;
  readonly simulated: boolean;
  /** 1, 2, 3 when labelling; 0 for an answer given to live traffic. */
  readonly pass: number;
  readonly promptVersion: string;
  readonly value?: LabelValue;
  readonly failure?: { readonly code: string; readonly message: string };
  /** By label, summing to 1, where the provider gives them. */
  readonly probabilities?: Readonly<Record<LabelValue, number>>;
  readonly usage: Usage;
  readonly costUsd: number;
  readonly latencyMs: number;
};

/** One ruling by a person. A later ruling of the same person on the same row supersedes the earlier. */
export type PersonAnnotation = AnnotationBase & {
  readonly annotator: "person";
  readonly person: string;
  readonly value: LabelValue;
  readonly note?: string;
};

export type Annotation = TeacherAnnotation | PersonAnnotation;

/**
 * How a label came to be: `agreed` (passes agree), `majority` (of three), `single` (one pass only), `person`, or `split`
 * (no majority: the first answer with a soft target over all of them, at low weight, until a person rules).
 */
export const LabelBasis = ["agreed", "majority", "single", "person", "split"] as const;
export type LabelBasis = (typeof LabelBasis)[number];

/** The value in force for a row, derived from its annotations. */
export type Label = {
  readonly rowId: RowId;
  readonly value: LabelValue;
  /** Training weight in (0, 1] (SCIENCE D5), before the propensity weight. */
  readonly weight: number;
  readonly basis: LabelBasis;
  /** Soft target by label, summing to 1, where teachers gave probabilities or passes disagreed. */
  readonly distribution?: Readonly<Record<LabelValue, number>>;
  readonly at: number;
};

// ── models and policies ─────────────────────────────────────────────────────────────────────────────────────────────

/** What a model is and where it came from. Stored as `card.json` beside its ONNX file. */
export type ModelCard = {
  readonly id: ModelId;
  /** Trainer name: `mobilenet-v3-small`, `onnx:mobilenet-v2-1.0-224`, … */
  readonly trainer: string;
  readonly inputKind: Input["kind"];
  readonly classes: readonly LabelValue[];
  readonly parameters: number;
  /** Of all that serving loads. */
  readonly sizeBytes: number;
  /** Of `model.onnx`, checked whenever it is loaded. 64 hex digits. */
  readonly sha256?: string;
  /** Further files of the model folder by name, with their SHA-256. */
  readonly files?: Readonly<Record<string, string>>;
  /** Of its committee, where its folder holds one. */
  readonly members?: number;
  readonly seed: string;
  /** Hash of the row ids, labels and weights trained on, and their count. */
  readonly dataHash: string;
  readonly trainingRows: number;
  readonly options: Readonly<Record<string, unknown>>;
  /** How an image becomes a tensor; the same at training and serving. */
  readonly preprocessing?: ImagePreprocessing;
  /** Per epoch, for the report. */
  readonly history: readonly { readonly epoch: number; readonly loss: number; readonly accuracy: number }[];
  readonly codeVersion: string;
  readonly createdAt: number;
  readonly trainingMs: number;
};

/** Resize the short side to `resize`, crop the centre to `size`², then `(x / 255 − mean) / std` per RGB channel, NCHW. */
export type ImagePreprocessing = {
  readonly size: number;
  readonly resize: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
};

/** What a student said of a row that it was not trained on (calibrate, certify, or out of fold). */
export type Prediction = {
  readonly modelId: ModelId;
  readonly rowId: RowId;
  /** `held-out`: the row's split kept it out of training; `out-of-fold`: cross-validated; `fitted`: trained on it. */
  readonly basis: "held-out" | "out-of-fold" | "fitted";
  /** `[classes]`, nats, uncalibrated. */
  readonly logits: Float32Array;
  /** ≥ 0, larger is less like what it was trained on; absent where the student cannot say. */
  readonly novelty?: number;
  /** Members of the committee in the student's own folder that say another class; absent where it has none, or they had seen the row. */
  readonly dissent?: number;
};

/**
 * Students that are heard beside the one that answers. `folds`: trained with it, each without one fold, in its own folder;
 * `predecessors`: champions before it, in their own.
 */
export type Committee =
  | { readonly kind: "folds"; readonly size: number }
  | { readonly kind: "predecessors"; readonly size: number; readonly members: readonly ModelId[] };

/**
 * Whether a committee ranks better than the confidence alone, by calibrate rows: both rules answer as many rows as the
 * confidence may at the target, and the one that is wrong on fewer is better.
 */
export type CommitteeTrial = {
  readonly kind: Committee["kind"];
  /** 0 where there was none to try. */
  readonly size: number;
  readonly kept: boolean;
  /** One sentence, with the numbers. */
  readonly why: string;
  readonly comparison?: {
    /** Calibrate rows, and those that either rule answers. */
    readonly n: number;
    readonly accepted: number;
    /** Of these, wrong by one rule that the other does not answer. */
    readonly onlyConfidenceWrong: number;
    readonly onlyCommitteeWrong: number;
    /** McNemar mid-p, two-sided. */
    readonly p: number;
  };
};

/** Where the unfamiliar begins (`src/deferral.ts`). */
export type NoveltyLimit = {
  /** Inputs of a larger novelty are not answered, however sure the student is. */
  readonly limit: number;
  /** Of calibrate rows, those that this was allowed to take from the student. */
  readonly share: number;
};

/**
 * From logits to confidence. All start from p, the top label's share of softmax(logits / temperature); each maps p without
 * falling, so that none changes which rows are surer than which, only how sure they are said to be.
 */
export type Calibrator =
  | { readonly kind: "temperature"; readonly temperature: number }
  /** Kull et al. 2017 on the top label: σ(a·ln p − b·ln(1 − p) + c), a and b ≥ 0. */
  | {
      readonly kind: "beta";
      readonly temperature: number;
      readonly a: number;
      readonly b: number;
      readonly c: number;
    }
  /** Knots of correctness over p, read by linear interpolation and blended with 10 % of p to keep ties breakable. */
  | {
      readonly kind: "isotonic";
      readonly temperature: number;
      readonly score: readonly number[];
      readonly correctness: readonly number[];
    };

/**
 * Whose labels an error is counted against. `teacher`: the teacher's own verdict, which is the consensus of its passes,
 * else its first answer; rows in conflict count too, for dropping them would leave only the easy ones. `person`: rulings.
 */
export type Reference = "teacher" | "person";

/**
 * What the user asks for. `regret`: P(answered ∧ wrong) ≤ risk over all traffic. `selective`: P(wrong | answered) ≤ risk.
 * Either with probability at least 1 − delta over the draw of the certify rows.
 */
export type Target = {
  readonly kind: "regret" | "selective";
  readonly risk: number;
  readonly delta: number;
  /**
   * By class: of the rows that are of it, the share that is not answered with another class (answered right, or escalated). Promised
   * beside `risk`; together they hold with probability 1 − delta.
   */
  readonly recall?: Readonly<Record<LabelValue, number>> | undefined;
  /** Classes that the student never answers: where it says one, the teacher is asked. */
  readonly never?: readonly LabelValue[] | undefined;
};

/** What a certificate says of one class of `recall`. */
export type RecallBound = {
  readonly value: LabelValue;
  /** Asked for, and promised: at least this with probability 1 − delta. */
  readonly recall: number;
  readonly bound: number;
  /** Certify rows of the class, and those answered with another. */
  readonly n: number;
  readonly missed: number;
  readonly delta: number;
};

/** The evidence behind a threshold. */
export type Certificate = {
  readonly target: Target;
  /** δ actually spent on this certificate (smaller than the target's where certificates are repeated). */
  readonly deltaSpent: number;
  readonly reference: Reference;
  /** The risk is at most this, with probability at least 1 − deltaSpent; ≤ target.risk. */
  readonly bound: number;
  /** Certify rows, those at or above the threshold, and the wrong ones among these. */
  readonly n: number;
  readonly accepted: number;
  readonly errors: number;
  /** Of the classes that the target has a recall for; `deltaSpent` is spent on all promises together. */
  readonly recall?: readonly RecallBound[];
  /** Hash of the certify rows and their reference labels. */
  readonly dataHash: string;
  readonly modelId: ModelId;
  /** The certificate is void for any other prompt version. */
  readonly promptVersion: string;
  readonly issuedAt: number;
};

/** Why nothing could be certified, and what would change that. */
export type NoCertificate = {
  readonly reason: string;
  /** Certify rows that are still missing, at the error rates seen; absent where no number of rows would do. */
  readonly moreRowsNeeded?: number;
  /** δ that the attempt cost; absent where there were too few rows to attempt anything. */
  readonly deltaSpent?: number;
};

/**
 * What a certificate against the teacher says of the truth: P(wrong ∧ answered) ≤ P(student ≠ teacher ∧ answered) +
 * P(teacher wrong), the last bounded by people's rulings on a uniform sample.
 */
export type TruthBound = {
  readonly bound: number;
  /** The bound holds with probability at least 1 − delta: what the certificate and the rulings spent together. */
  readonly delta: number;
  /** Uniform rows ruled on, and those on which the teacher was wrong. */
  readonly rulings: number;
  readonly teacherErrors: number;
};

/** Turns a student's logits into an answer or an escalation. Bound to one model and one teacher prompt version. */
export type Policy = {
  readonly id: PolicyId;
  readonly modelId: ModelId;
  readonly promptVersion: string;
  readonly classes: readonly LabelValue[];
  readonly calibrator: Calibrator;
  readonly target: Target;
  readonly reference: Reference;
  /**
   * The student answers where its score is at least this; absent: everything is escalated. The score is its confidence, or,
   * under a committee, (members that agree + confidence) / (members + 1) (`src/deferral.ts`).
   */
  readonly threshold?: number;
  /** Heard before anything is answered; the certificate is about the rule with it. Absent: the confidence alone decides. */
  readonly committee?: Committee;
  /** Why there is a committee, or none, where the task offers one. */
  readonly committeeTrial?: CommitteeTrial;
  /** What lies beyond is escalated whatever the confidence; the certificate counts it so. Absent: nothing is. */
  readonly novelty?: NoveltyLimit;
  /** Classes that are escalated whenever the student says them; the certificate counts it so. */
  readonly never?: readonly LabelValue[];
  readonly certificate?: Certificate;
  readonly noCertificate?: NoCertificate;
  /** Only of a regret certificate against the teacher, where people have ruled on uniform certify rows. */
  readonly truth?: TruthBound;
  /**
   * Share of uniform traffic that the student would answer, and the share of wrong answers among these. On the certify
   * rows, which also chose the threshold: for orientation, the guarantee is the certificate's. n = 0 where there is none.
   */
  readonly coverage: Estimate;
  readonly selectiveRisk: Estimate;
  readonly warnings: readonly string[];
  readonly createdAt: number;
};

/** The serving pair. Swapped by compare-and-set on `version`. */
export type Champion = {
  readonly modelId: ModelId;
  readonly policyId: PolicyId;
  /** 1 for the first; grows by one at every promotion and rollback. */
  readonly version: number;
  readonly at: number;
  readonly reason: string;
};

// ── decisions and rounds ────────────────────────────────────────────────────────────────────────────────────────────

/**
 * `unfamiliar`: sure enough, but of an input unlike any that it was trained on; `together`: sure enough, but another field of
 * a row that is only answered whole was not; `no-champion`, `no-certificate`: nothing may be answered yet; `voided`: the
 * monitor alarmed or the prompt changed.
 */
export const EscalationReason = [
  "unsure",
  "unfamiliar",
  "together",
  "no-champion",
  "no-certificate",
  "voided",
  "student-failed",
] as const;
export type EscalationReason = (typeof EscalationReason)[number];

/**
 * `answered`: by the student alone. `audited`: answered by the student, the teacher asked as well. `escalated`: the
 * teacher answered. `degraded`: an escalation that the teacher could not take, handled by the task's policy.
 */
export const Route = ["answered", "audited", "escalated", "degraded"] as const;
export type Route = (typeof Route)[number];

/** One routed request. */
export type Decision = {
  readonly id: string;
  readonly rowId: RowId;
  readonly at: number;
  readonly route: Route;
  readonly reason?: EscalationReason;
  /** What was answered to the caller; absent where the request was refused or queued. */
  readonly value?: LabelValue;
  readonly studentValue?: LabelValue;
  /** Calibrated, of the student's class. */
  readonly confidence?: number;
  /** Members of the committee that said another class; absent where none was asked. */
  readonly dissent?: number;
  readonly threshold?: number;
  /** Probability with which this request was to receive a teacher's label. */
  readonly propensity: number;
  /** Drawn for the uniform stream before routing. */
  readonly uniform: boolean;
  readonly degradedTo?: TeacherDownPolicy;
  /** Code of what kept the teacher from it: `teacher_down`, `budget_exhausted`, … */
  readonly degradedFor?: string;
  readonly modelId?: ModelId;
  readonly policyId?: PolicyId;
  /**
   * What the caller waited for, from the router's first look to the disk. Of the record, until its commit began, and as long
   * as the flush before took: its own cannot be known when it is written.
   */
  readonly latencyMs: number;
  /** What the teacher cost for this request; of one about several fields, this one's equal part. */
  readonly costUsd: number;
};

/** What to do with an unsure request when the teacher is down or over budget. */
export const TeacherDownPolicy = ["answer-flagged", "refuse", "queue"] as const;
export type TeacherDownPolicy = (typeof TeacherDownPolicy)[number];

/** One of the students that a task allows, as it compared with the others before any was certified. */
export type CandidateResult = {
  readonly name: string;
  readonly modelId: ModelId;
  /** On out-of-fold train rows and calibrate rows together, against the labels in force. */
  readonly accuracy: Estimate;
  /** Share of these rows that it would answer at the target, were the target met by what was seen: to compare, not to promise. */
  readonly coverage: Estimate;
  /** Coverage of the candidate with most of it, minus this one's, on the same rows (paired bootstrap). */
  readonly behind: Estimate;
  /** One decision; absent where nothing could be timed. */
  readonly p50Ms?: number;
  readonly sizeBytes: number;
  readonly trainingMs: number;
  /** Accuracy against the candidate with most coverage: McNemar mid-p after Holm; 1 for itself. */
  readonly p: number;
  readonly chosen: boolean;
};

/** One turn of the wheel. */
export type Round = {
  readonly round: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Labels trained on. */
  readonly labels: number;
  readonly challenger: ModelId;
  readonly champion?: ModelId;
  readonly promoted: boolean;
  readonly why: string;
  /** Of the traffic since the round before: share escalated. Of the holdout: accuracy and coverage of the challenger. */
  readonly escalated: Estimate;
  readonly accuracy: Estimate;
  readonly coverage: Estimate;
  readonly requests: number;
  readonly costUsd: number;
  /** Where the task left the choice of the student to us; cheapest first. */
  readonly candidates?: readonly CandidateResult[];
};
