/** @file How confident the student is, right and wrong rows apart, and where its threshold lies. */

import * as Plot from "@observablehq/plot";
import { count, percent } from "../format.ts";
import type { CalibrationSection, ConfidenceBin } from "../report-data.ts";
import { basisOf } from "../wording.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, axisY, gridY, legend, percentTick } from "./marks.ts";
import { colours } from "./theme.ts";

export type ConfidenceBar = {
  readonly from: number;
  readonly to: number;
  readonly y1: number;
  readonly y2: number;
  readonly right: boolean;
  readonly rows: number;
};

/** Wrong rows stand on the axis, where small counts can be compared; right ones on top of them. */
export function confidenceBars(bins: readonly ConfidenceBin[]): readonly ConfidenceBar[] {
  return bins.flatMap(({ from, to, right, wrong }) => [
    { from, to, y1: 0, y2: wrong, right: false, rows: wrong },
    { from, to, y1: wrong, y2: wrong + right, right: true, rows: right },
  ]);
}

export function confidenceChart(calibration: CalibrationSection, threshold: number | undefined): Chart {
  const bars = confidenceBars(calibration.histogram).filter(({ rows }) => rows > 0);
  const from = Math.min(...bars.map((bar) => bar.from));
  const text = {
    name: "confidence",
    title: "Confidence of the student",
    basis: basisOf(calibration),
    description: `Held-out rows by confidence, right and wrong ones apart${threshold === undefined ? "" : `; it answers from ${percent(threshold)}`}.`,
  };
  return chart(text, (size) => ({
    height: size === "wide" ? 320 : 350,
    marginTop: 46,
    marginLeft: 48,
    marginRight: 26,
    marginBottom: 46,
    x: { domain: [from, 1] },
    marks: [
      gridY({ ticks: 5 }),
      axisX({ label: "confidence", tickFormat: percentTick, ticks: 5 }),
      axisY({ ticks: 5, tickFormat: count }),
      ...[true, false].map((right) =>
        Plot.rect(
          bars.filter((bar) => bar.right === right),
          {
            x1: "from",
            x2: "to",
            y1: "y1",
            y2: "y2",
            inset: 0.5,
            fill: right ? colours.student : colours.error,
            title,
          },
        ),
      ),
      Plot.ruleY([0], { stroke: colours.muted }),
      ...thresholdMarks(threshold),
      ...legend([
        { text: "right", colour: colours.student, shape: "square" },
        { text: "wrong", colour: colours.error, shape: "square" },
        ...(threshold === undefined
          ? []
          : [{ text: "threshold", colour: colours.certified, shape: "dashes" as const }]),
      ]),
    ],
  }));
}

function thresholdMarks(threshold: number | undefined): Plot.Markish[] {
  if (threshold === undefined) return [];
  return [
    Plot.ruleX([threshold], { stroke: colours.surface, strokeWidth: 5 }),
    Plot.ruleX([threshold], { stroke: colours.certified, strokeWidth: 2, strokeDasharray: "5 3" }),
  ];
}

function title({ from, to, right, rows }: ConfidenceBar): string {
  return `confidence ${percent(from, 0)}–${percent(to, 0)}: ${count(rows)} ${right ? "right" : "wrong"}`;
}
