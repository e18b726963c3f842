/** @file Looking into JSON of unknown shape. Logs are written by many hands: what is not there is undefined, never an error. */

import type { Usage } from "../../records.ts";
import type { LogRecord } from "./logged-call.ts";

export function objectAt(value: unknown, ...path: readonly string[]): LogRecord | undefined {
  const found = at(value, ...path);
  return isObject(found) ? found : undefined;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] | undefined {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : undefined;
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === "string" ? found : undefined;
}

export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  const number = typeof found === "string" && found.trim() !== "" ? Number(found) : found;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, key) => (isObject(inside) ? inside[key] : undefined), value);
}

export const isObject = (value: unknown): value is LogRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value that some loggers write as JSON within JSON. */
export function unwrapped(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** The first of several names under which a number stands. */
export const firstNumber = (value: unknown, names: readonly string[]): number | undefined =>
  names.map((name) => numberAt(value, name)).find((found) => found !== undefined);

/** Tokens as each vendor counts them; what was read from a cache was read, too. */
export function usageOf(response: unknown): Usage {
  const google = objectAt(response, "usageMetadata") ?? objectAt(response, "usage_metadata");
  if (google) return googleUsage(google);
  const usage = objectAt(response, "usage") ?? {};
  const output = firstNumber(usage, ["completion_tokens", "output_tokens", "completionTokens", "outputTokens"]);
  return { inputTokens: inputTokensOf(usage), outputTokens: output ?? 0 };
}

/** Anthropic's `input_tokens` leave out what its cache held; OpenAI's counts hold it. */
function inputTokensOf(usage: LogRecord): number {
  const prompt = firstNumber(usage, ["prompt_tokens", "promptTokens", "inputTokens"]);
  const cached = ["cache_creation_input_tokens", "cache_read_input_tokens"].map((name) => numberAt(usage, name) ?? 0);
  return prompt ?? (numberAt(usage, "input_tokens") ?? 0) + cached.reduce((sum, tokens) => sum + tokens, 0);
}

function googleUsage(usage: LogRecord): Usage {
  const count = (...names: readonly string[]) => firstNumber(usage, names) ?? 0;
  return {
    inputTokens: count("promptTokenCount", "prompt_token_count"),
    outputTokens:
      count("candidatesTokenCount", "candidates_token_count") + count("thoughtsTokenCount", "thoughts_token_count"),
  };
}

/** What loggers call the cost of a call. */
export const costOf = (record: unknown): number | undefined =>
  firstNumber(record, ["response_cost", "total_cost", "cost_usd", "costUsd"]);

/** What loggers call the duration of a call, in milliseconds; LiteLLM's is in seconds. */
export function latencyOf(record: LogRecord): number {
  const milliseconds = firstNumber(record, ["latency_ms", "duration_ms", "latencyMs", "durationMs"]);
  const seconds = "call_type" in record ? numberAt(record, "response_time") : undefined;
  return Math.max(0, milliseconds ?? (seconds === undefined ? 0 : Math.round(seconds * 1_000)));
}

/** Seconds since the epoch as OpenAI counts, or a date that the logger wrote. */
export function timeOf(record: LogRecord, response: unknown): number | undefined {
  const seconds =
    numberAt(response, "created") ??
    numberAt(response, "created_at") ??
    ("call_type" in record ? numberAt(record, "endTime") : undefined);
  if (seconds !== undefined) return Math.round(seconds * 1_000);
  return dateOf(
    ["timestamp", "created_at", "createTime", "create_time", "time"].map(
      (name) => textAt(record, name) ?? textAt(response, name),
    ),
  );
}

/** The first that is a date. */
export function dateOf(written: readonly (string | undefined)[]): number | undefined {
  const at = Date.parse(written.find((text) => text !== undefined) ?? "");
  return Number.isNaN(at) ? undefined : at;
}

const ERROR_TEXTS = ["error_str", "error", "error_message", "exception"];

/** Why a call failed, as whoever logged it says; undefined where nobody says that it did. */
export function errorOf(...records: readonly unknown[]): string | undefined {
  const said = records.flatMap((record) => [
    textAt(record, "error", "message"),
    textAt(record, "error", "error", "message"),
    ...ERROR_TEXTS.map((name) => textAt(record, name)),
    textAt(record, "error", "type"),
  ]);
  return said
    .find((text) => text !== undefined && text !== "")
    ?.split("\n", 1)[0]
    ?.slice(0, 200);
}
