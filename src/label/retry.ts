/** @file When to ask again: jittered, so that what failed together does not come back together, and capped. */

import type { TeacherError } from "../contracts.ts";
import { createRng, fork, type Seed } from "../math/random.ts";
import type { Outcome } from "./rate-control.ts";

/** A provider that asks for more than this has closed for the day: better to stop and say so than to sit and wait. */
export const LONGEST_WAIT_MS = 10 * 60_000;

const FIRST_DELAY_MS = 250;
/** After 429 the pace does the waiting; the row only steps aside. */
const FIRST_LIMITED_DELAY_MS = 20;
const LONGEST_DELAY_MS = 30_000;

/**
 * Exponential with full jitter over the upper half; at least what the provider asked for. None after a useless answer:
 * nothing is overloaded.
 * @param attempt 1 for the first
 */
export function retryDelayMs(error: TeacherError, attempt: number, seed: Seed): number {
  if (error.code === "teacher_off_schema") return 0;
  const first = error.code === "teacher_rate_limited" ? FIRST_LIMITED_DELAY_MS : FIRST_DELAY_MS;
  const delayMs = Math.min(LONGEST_DELAY_MS, first * 2 ** (attempt - 1));
  const jitter = 0.5 + createRng(fork(seed, "retry", attempt)).next() / 2;
  return Math.max(error.retryAfterMs ?? 0, delayMs) * jitter + (error.retryAfterMs ?? 0) / 2;
}

/** What the pace is to learn from a failure. */
export function outcomeOf(error: TeacherError): Outcome {
  const retryAfterMs = error.retryAfterMs === undefined ? undefined : Math.min(error.retryAfterMs, LONGEST_WAIT_MS);
  switch (error.code) {
    case "teacher_rate_limited":
      return { kind: "limited", retryAfterMs };
    case "teacher_timeout":
      return { kind: "overloaded", retryAfterMs };
    case "teacher_unavailable":
      // A provider that names a time has shed load; any other 5xx is an accident of that one request.
      return retryAfterMs === undefined ? { kind: "failed" } : { kind: "overloaded", retryAfterMs };
    default:
      return { kind: "failed" };
  }
}
