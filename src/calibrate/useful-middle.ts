/**
 * @file Can a cascade work at all? Only if the student is unsure where it errs. Ranking decides, not calibration.
 *
 * Thresholds: SCIENCE D1 (AUROC of confidence .75; 35 % of errors among the least confident 20 %).
 */

import type { BootstrapOptions } from "../math/bootstrap.ts";
import type { Estimate } from "../math/estimate.ts";
import { selectiveSummary } from "../math/selective.ts";
import type { Role, Scores } from "./evidence.ts";

export const MIN_AUROC = 0.75;
export const MIN_ERROR_SHARE = 0.35;
/** With fewer errors both measures are noise. */
const LEAST_ERRORS = 10;

export type UsefulMiddle =
  | { readonly kind: "unknown"; readonly errors: number }
  | {
      readonly kind: "useful" | "no-useful-middle";
      readonly auroc: Estimate;
      readonly errorShareInLeastConfident: Estimate;
    };

export function usefulMiddle(scores: Scores<Role>, options: BootstrapOptions): UsefulMiddle {
  const errors = scores.correct.reduce((sum, right) => sum + 1 - right, 0);
  if (errors < LEAST_ERRORS || errors === scores.correct.length) return { kind: "unknown", errors };
  const { auroc, errorShareInLeastConfident } = selectiveSummary(scores, options);
  const useful = auroc!.value >= MIN_AUROC && errorShareInLeastConfident!.value >= MIN_ERROR_SHARE;
  return {
    kind: useful ? "useful" : "no-useful-middle",
    auroc: auroc!,
    errorShareInLeastConfident: errorShareInLeastConfident!,
  };
}
