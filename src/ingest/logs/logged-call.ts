/** @file What every log says of a call, whoever wrote it: what was asked about, how, and what came back. */

import type { Usage } from "../../records.ts";

export const LogFormat = [
  "openai-chat",
  "openai-responses",
  "openai-decisions",
  "openai-batch",
  "anthropic",
  "gemini",
  "langchain",
  "otel",
  "input-output",
] as const;
export type LogFormat = (typeof LogFormat)[number];

/**
 * What came back: words (`tool`: the arguments of a tool that was called beside them), a decision, or why there is neither.
 * `failed`: the call itself failed, was refused or cut short.
 */
export type LoggedAnswer =
  | { readonly kind: "text"; readonly text: string; readonly tool?: string | undefined }
  /** By field, of the questions that are a field's; the field of a task of one output has no name. */
  | { readonly kind: "decision"; readonly given: ReadonlyMap<string, Judgement> }
  | { readonly kind: "failed"; readonly message: string };

/** What was said to one question, or why nothing was. */
export type Judgement =
  | { readonly value: string; readonly probabilities?: Readonly<Record<string, number>> }
  | { readonly refusal: string };

export type LoggedCall = {
  /** The last thing that the user said: a text, or JSON; undefined where it is neither. */
  readonly input: unknown;
  /** What else the input holds that is no text: "an image (image/png)". */
  readonly foreign?: string | undefined;
  /** Instructions: what the system and the developer said. */
  readonly prompt: string;
  readonly answer: LoggedAnswer;
  /** As the provider calls it; some plain logs do not say. */
  readonly model?: string | undefined;
  readonly usage: Usage;
  /** What the log says that the call cost. */
  readonly costUsd?: number | undefined;
  readonly latencyMs: number;
  /** Milliseconds since the epoch. */
  readonly at?: number | undefined;
};

export type LogRecord = Readonly<Record<string, unknown>>;

/** Calls of one record of a log; `other`: what each span or line is that is no call, as it is counted for people to read. */
export type ReadCalls = { readonly calls: readonly LoggedCall[]; readonly other: readonly string[] };

export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0 };
