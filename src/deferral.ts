/**
 * @file Whether the student answers, in one number: certifying, comparing, reporting and routing all compare it with the
 * threshold, so that the certificate is about the rule that serves.
 */

import type { Committee, LabelValue, Policy, Target } from "./records.ts";

/** Below every threshold: these lie in [0, 1]. */
const NEVER = -1;

export type Said = {
  /** The student's class; needed where the policy has classes that it never answers. */
  readonly value?: LabelValue | undefined;
  /** Calibrated, of the student's class, in [0, 1]. */
  readonly confidence: number;
  /** Absent where the student cannot say. */
  readonly novelty?: number | undefined;
  /** As in `Prediction`; absent where nobody was asked. */
  readonly dissent?: number | undefined;
};

/** What of a policy turns what is said of an input into a score. */
export type DeferralRule = Pick<Policy, "novelty" | "committee" | "never">;

/**
 * The score that a threshold is compared with: the confidence, or `committeeScore` under a committee, or −1 where the input is
 * unlike what the student was trained on, or its class one that it never answers. Under a limit, a novelty that is absent or NaN counts as unfamiliar; under a
 * committee, nothing is answered unheard. Higher is surer.
 */
export function deferralScore(
  { value, confidence, novelty, dissent }: Said,
  { novelty: limit, committee, never }: DeferralRule,
): number {
  if (never && (value === undefined || never.includes(value))) return NEVER;
  if (limit && !(novelty !== undefined && novelty <= limit.limit)) return NEVER;
  if (!committee) return confidence;
  return dissent === undefined ? NEVER : committeeScore(confidence, { dissent, size: committee.size });
}

/**
 * Fewer dissenters before more, then the surer before the less sure (SCIENCE D1), as one number in [0, 1]:
 * (members that agree + confidence) / (members + 1). Confidences closer than some 1e-15 may tie; so do a confidence of 1 and one
 * of 0 with a dissenter less, which no softmax gives. A committee of none is the confidence.
 */
export function committeeScore(
  confidence: number,
  { dissent, size }: { readonly dissent: number; readonly size: number },
): number {
  return (size - dissent + confidence) / (size + 1);
}

/** The highest score that a confidence may come to: below the threshold, no member need be asked. */
export function bestScore(confidence: number, committee: Committee | undefined): number {
  return committee ? committeeScore(confidence, { dissent: 0, size: committee.size }) : confidence;
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
