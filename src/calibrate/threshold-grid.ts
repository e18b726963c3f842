/** @file The thresholds that a selective certificate may choose among, fixed before a certify label is read. */

import { quantiles } from "../math/quantile.ts";
import type { Scores } from "./evidence.ts";

/** Strictest first. */
export type ThresholdGrid = {
  readonly fixedOn: "calibrate";
  readonly points: readonly { readonly threshold: number; readonly coverage: number }[];
};

/** SCIENCE D2. */
const GRID_POINTS = 20;

/**
 * Thresholds at which 5, 10, … 100 % of the calibrate rows are accepted; none where there are no rows.
 */
export function thresholdGrid({ score }: Scores<"calibrate">): ThresholdGrid {
  if (score.length === 0) return { fixedOn: "calibrate", points: [] };
  const coverages = Array.from({ length: GRID_POINTS }, (_, point) => (point + 1) / GRID_POINTS);
  const thresholds = quantiles(
    score,
    coverages.map((coverage) => 1 - coverage),
  );
  return {
    fixedOn: "calibrate",
    points: coverages.map((coverage, point) => ({ coverage, threshold: thresholds[point]! })),
  };
}
