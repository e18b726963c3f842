/**
 * @file Whether the student answers, in one number: certifying, comparing, reporting and routing all compare it with the
 * threshold, so that the certificate is about the rule that serves.
 */

import type { NoveltyLimit, Target } from "./records.ts";

/** Below every threshold: these lie in [0, 1]. */
const NEVER = -1;

export type Said = {
  /** Calibrated, of the student's class, in [0, 1]. */
  readonly confidence: number;
  /** Absent where the student cannot say. */
  readonly novelty?: number | undefined;
};

/**
 * The score that a threshold is compared with: the confidence, or −1 where the input is unlike what the student was trained on.
 * Under a limit, a novelty that is absent or NaN counts as unfamiliar. Higher is surer.
 */
export function deferralScore({ confidence, novelty }: Said, limit: NoveltyLimit | undefined): number {
  if (!limit || (novelty !== undefined && novelty <= limit.limit)) return confidence;
  return NEVER;
}

/**
 * Whether what was seen keeps the target: `errors` wrong answers among `accepted` of `n` rows. Of a sample, so it chooses and
 * compares; only a bound promises (`calibrate/choose-threshold.ts`).
 */
export function keepsTarget(
  { kind, risk }: Target,
  { errors, accepted, n }: { readonly errors: number; readonly accepted: number; readonly n: number },
): boolean {
  return errors <= risk * (kind === "regret" ? n : accepted);
}
