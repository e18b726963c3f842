/** @file What each threshold would do, on rows that neither trained nor calibrated. */

import { type Estimate, proportionEstimate } from "../math/estimate.ts";
import { acceptedAt } from "./accepted.ts";
import type { Scores } from "./evidence.ts";

export type ThresholdTableRow = {
  readonly threshold: number;
  /** Share of rows sent to the teacher. */
  readonly escalated: Estimate;
  /** Rows answered, and the share of right answers among them; undefined where none is answered. */
  readonly answered: number;
  readonly accuracy: Estimate | undefined;
  readonly isCertified: boolean;
};

/** Users read thresholds as confidences, and ask about these. */
export const customaryThresholds = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95] as const;

/** One row for each customary threshold and the certified one, ascending. @throws RangeError for no rows */
export function thresholdTable(certify: Scores<"certify">, certified?: number): readonly ThresholdTableRow[] {
  const n = certify.score.length;
  const thresholds = new Set([...customaryThresholds, ...(certified === undefined ? [] : [certified])]);
  return [...thresholds]
    .sort((a, b) => a - b)
    .map((threshold) => {
      const { accepted, errors } = acceptedAt(certify, threshold);
      return {
        threshold,
        escalated: proportionEstimate(n - accepted, n),
        answered: accepted,
        accuracy: accepted > 0 ? proportionEstimate(accepted - errors, accepted) : undefined,
        isCertified: threshold === certified,
      };
    });
}
