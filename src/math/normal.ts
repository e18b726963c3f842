/** @file The standard normal's quantile, for the intervals that are asymptotic by nature. */

import normalQuantile from "@stdlib/stats-base-dists-normal-quantile";
import { checkOpenShare } from "./check.ts";

/** z such that a standard normal lies within ±z with probability `confidence`; 1.96 for 0.95. */
export function twoSidedZ(confidence: number): number {
  checkOpenShare("confidence", confidence);
  return normalQuantile((1 + confidence) / 2, 0, 1);
}

/** z such that a standard normal lies below z with probability `confidence`; 1.645 for 0.95. */
export function oneSidedZ(confidence: number): number {
  checkOpenShare("confidence", confidence);
  return normalQuantile(confidence, 0, 1);
}
