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

/** OpenAI's two spellings. */
export function usageOf(response: unknown): Usage {
  const count = (...names: readonly string[]) =>
    names.map((name) => numberAt(response, "usage", name)).find((tokens) => tokens !== undefined) ?? 0;
  return {
    inputTokens: count("prompt_tokens", "input_tokens"),
    outputTokens: count("completion_tokens", "output_tokens"),
  };
}

/** What loggers call the duration of a call, in milliseconds. */
export function latencyOf(record: LogRecord): number {
  const milliseconds = ["latency_ms", "duration_ms", "latencyMs", "durationMs"].map((name) => numberAt(record, name));
  return Math.max(0, milliseconds.find((value) => value !== undefined) ?? 0);
}

/** Seconds since the epoch as OpenAI counts, or a date that the logger wrote. */
export function timeOf(record: LogRecord, response: unknown): number | undefined {
  const seconds = numberAt(response, "created") ?? numberAt(response, "created_at");
  if (seconds !== undefined) return seconds * 1_000;
  const written = Date.parse(
    textAt(record, "timestamp") ?? textAt(record, "created_at") ?? textAt(record, "time") ?? "",
  );
  return Number.isNaN(written) ? undefined : written;
}
