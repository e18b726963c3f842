/** @file What a certifying procedure returns before it is written up as a certificate. */

import type { RecallBound } from "../records.ts";

/** Risk at most `risk` with probability at least 1 − `delta`. */
export type RiskLevel = { readonly risk: number; readonly delta: number };

/** A risk as a reader wants it: 0.05 is "5 %", 0.0025 "0.25 %". */
export const riskText = (risk: number): string => `${Number((100 * risk).toPrecision(3))} %`;

export type Verdict =
  | {
      readonly kind: "certified";
      readonly threshold: number;
      /** What holds with probability at least 1 − δ, ≤ the risk asked for. */
      readonly bound: number;
      readonly accepted: number;
      readonly errors: number;
      readonly recall?: readonly RecallBound[];
    }
  | {
      readonly kind: "none";
      readonly reason: string;
      /** Certify rows still missing at the error rates seen; undefined where no number would do. */
      readonly moreRowsNeeded: number | undefined;
      /** False where there were too few rows to look at their labels at all: no δ was spent. */
      readonly tested: boolean;
    };
