/**
 * @file The contracts that stages are written against: clock, progress, teacher, student. The store's has a folder of its
 * own. Stages never import each other; they meet in the store and in these types.
 */

import { FlywheelError, type FlywheelErrorOptions } from "./errors.ts";
import type { ImagePreprocessing, Input, LabelValue, ModelId, Usage } from "./records.ts";

/** Time as an argument. */
export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
};

/** What long work tells whoever watches. Called often: must be cheap. */
export type Progress = (update: {
  readonly stage: string;
  readonly done: number;
  /** Absent while unknown. */
  readonly total?: number;
  /** Shown as they are: `cost: "$0.12"`, `loss: "0.43"`. */
  readonly details?: Readonly<Record<string, string>>;
}) => void;

// ── teacher ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** An input with its payload loaded: what a teacher is shown. */
export type TeacherInput =
  | { readonly kind: "image"; readonly bytes: Uint8Array; readonly mediaType: string }
  | Exclude<Input, { readonly kind: "image" }>;

export type TeacherRequest = {
  readonly input: TeacherInput;
  /** 0 for live traffic, 1, 2, 3 when labelling; passes are asked differently (SCIENCE D5). */
  readonly pass: number;
  /** Same key, same request: a provider that honours it never charges twice. */
  readonly idempotencyKey: string;
};

/** A request that brought no valid answer. An answer outside the schema was charged all the same. */
export class TeacherError extends FlywheelError {
  /** What the provider asked us to wait. */
  readonly retryAfterMs: number | undefined;
  readonly usage: Usage;
  readonly costUsd: number;
  /** The request left and no answer came: the provider may have charged for it all the same. */
  readonly inDoubt: boolean;
  /** Of an answer about several fields: those of them that were inside the schema, by name. */
  readonly valid: Readonly<Record<string, GivenLabel>>;
  /** The beginning of an answer that came and is none of the labels, for a person to read; absent where none came. */
  readonly answer: string | undefined;

  constructor(
    code: string,
    message: string,
    options: FlywheelErrorOptions & {
      readonly retryAfterMs?: number | undefined;
      readonly usage?: Usage;
      readonly costUsd?: number;
      readonly inDoubt?: boolean;
      readonly valid?: Readonly<Record<string, GivenLabel>>;
      readonly answer?: string;
    } = {},
  ) {
    super(code, message, options);
    this.name = "TeacherError";
    this.retryAfterMs = options.retryAfterMs;
    this.usage = options.usage ?? { inputTokens: 0, outputTokens: 0 };
    this.costUsd = options.costUsd ?? 0;
    this.inDoubt = options.inDoubt ?? false;
    this.valid = options.valid ?? {};
    this.answer = options.answer;
  }
}

/**
 * Whether an answer came, was charged for and is of no use: the next request needs a key of its own, else a provider that
 * honours keys would repeat it.
 */
export const isUselessAnswer = ({ code, inDoubt }: TeacherError): boolean =>
  code === "teacher_off_schema" || (code === "teacher_unreadable" && !inDoubt);

/** What was said to one question. */
export type GivenLabel = {
  readonly value: LabelValue;
  readonly probabilities?: Readonly<Record<LabelValue, number>>;
};

/** A teacher's answer, valid under the task's schema. Failures are thrown as `TeacherError`. */
export type TeacherAnswer = GivenLabel & AnswerCharge;

/** Of a task of several fields: one answer to all of them. */
export type TeacherFieldsAnswer = AnswerCharge & { readonly fields: Readonly<Record<string, GivenLabel>> };

type AnswerCharge = {
  readonly usage: Usage;
  readonly costUsd: number;
  readonly latencyMs: number;
  /** The provider's rate limit is used up, by its headers, and full again after this: no time to ask faster. */
  readonly exhaustedForMs?: number;
};

/** Annotates rows. One attempt per call: pace, retries and budget belong to whoever calls. */
export type Teacher = {
  /** `provider/model`. */
  readonly id: string;
  /** Becomes true at the latest with the first answer of a server that says so. */
  readonly simulated: boolean;
  readonly promptVersion: string;
  /** The most that one request of this kind may cost, for reserving budget before it is sent. */
  maxCostUsd(request: TeacherRequest): number;
  /**
   * @throws TeacherError `teacher_rate_limited`, `teacher_unavailable`, `teacher_timeout`, `teacher_unreadable`: retryable, about
   *   the teacher or what stands in front of it; `teacher_off_schema`: retryable (`valid` then holds the fields that were on
   *   schema), then final for this row, as `teacher_refused` and `teacher_bad_request` are, unless many rows in a row end so;
   *   `teacher_unauthorised`, `teacher_misconfigured`: any row would meet the same
   */
  ask(request: TeacherRequest, signal?: AbortSignal): Promise<TeacherAnswer | TeacherFieldsAnswer>;
};

// ── student ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** An input with its payload loaded: what a student is shown. Images are encoded files (JPEG, PNG, …). */
export type StudentInput = TeacherInput;

/** A trained model, loaded. There is no unfitted state. */
export type Student = AsyncDisposable & {
  readonly modelId: ModelId;
  readonly classes: readonly LabelValue[];
  readonly preprocessing?: ImagePreprocessing;
  /** Row-major `[n, classes.length]` logits, nats, uncalibrated. Prediction of a batch is that of its rows one by one. */
  predictLogits(batch: readonly StudentInput[], signal?: AbortSignal): Promise<Float32Array>;
  /**
   * One input at once, with the same numbers, where a student takes microseconds: to wait for it would take longer. A
   * student that has it has whatever of novelty and committee it has here as well.
   */
  look?(input: StudentInput): Look;
  /**
   * `[n]`, ≥ 0: how unlike each input is to anything that the student was trained on; larger is stranger. The same model
   * gives the same input the same number, in any batch. A student without it takes every input for familiar.
   */
  novelty?(batch: readonly StudentInput[], signal?: AbortSignal): Promise<Float32Array>;
  /** Why it says of one input what it says, where it can tell. @throws FlywheelError where what it needs is not here */
  explain?(input: StudentInput): readonly Explanation[];
  /** Other students that are loaded beside it. A student without any has nobody to ask. */
  readonly committee?: StudentCommittee;
};

/** What a student sees in one input. Novelty and dissent are worked out only where they are asked for. */
export type Look = {
  /** `[classes]`, nats, uncalibrated. */
  readonly logits: Float32Array;
  novelty?(): number;
  dissent?(): number;
};

export type StudentCommittee = {
  /** Members beside the student. */
  readonly size: number;
  /** `[n]`, 0 … `size`: members whose class is not the student's. In any batch the same. */
  dissent(batch: readonly StudentInput[], signal?: AbortSignal): Promise<Float32Array>;
};

/** Of one class's logit; of two classes only the second's, the first's being 0. */
export type Explanation = {
  readonly label: LabelValue;
  /** The logit before anything is known of the input, nats. */
  readonly bias: number;
  /** What each feature adds to it, the largest first; with the bias they sum to the logit. N-grams are features of their own. */
  readonly contributions: readonly { readonly feature: string; readonly contribution: number }[];
};
