/** @file Reliability diagram: in equal-mass bins of confidence, how often was the student right? */

import * as Plot from "@observablehq/plot";
import { percent, percentInterval } from "../format.ts";
import type { CalibrationSection, ReliabilityBin } from "../report-data.ts";
import { basisOf } from "../wording.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, axisY, gridX, gridY, legend, percentTick } from "./marks.ts";
import { colours } from "./theme.ts";

export type ReliabilityPoint = { readonly confidence: number; readonly accuracy: number; readonly n: number } & {
  readonly low: number;
  readonly high: number;
};

export function reliabilityPoints(bins: readonly ReliabilityBin[]): readonly ReliabilityPoint[] {
  return bins.map(({ confidence, accuracy: { value, low, high, n } }) => ({
    confidence,
    accuracy: value,
    low,
    high,
    n,
  }));
}

export function reliabilityChart({ bins, ece, truth, n }: CalibrationSection): Chart {
  const points = reliabilityPoints(bins);
  const from = Math.floor(10 * Math.min(...points.map(({ confidence, low }) => Math.min(confidence, low)))) / 10;
  const text = {
    name: "reliability",
    title: "Reliability of confidence",
    basis: basisOf({ truth, n }),
    description: `Accuracy against mean confidence in ${bins.length} equal-mass bins of ${n} held-out rows. Expected calibration error ${percent(ece.value)} (${percentInterval(ece)}).`,
  };
  return chart(text, (size) => ({
    height: size === "wide" ? 420 : 350,
    marginTop: 46,
    marginLeft: 48,
    marginRight: 26,
    marginBottom: 46,
    x: { domain: [from, 1] },
    y: { domain: [from, 1] },
    marks: [
      gridX(),
      gridY(),
      axisX({ label: "confidence", tickFormat: percentTick, ticks: 5 }),
      axisY({ tickFormat: percentTick, ticks: 5 }),
      Plot.line([from, 1], {
        x: (value: number) => value,
        y: (value: number) => value,
        stroke: colours.muted,
        strokeDasharray: "4 4",
      }),
      Plot.ruleX(points, {
        x: "confidence",
        y1: "low",
        y2: "high",
        stroke: colours.student,
        strokeWidth: 2,
        strokeOpacity: 0.45,
      }),
      Plot.dot(points, { x: "confidence", y: "accuracy", fill: colours.student, r: 4.5, title }),
      ...legend([
        { text: "accuracy, 95 % interval", colour: colours.student, shape: "circle" },
        { text: "perfect", colour: colours.muted, shape: "dashes" },
      ]),
    ],
  }));
}

function title(point: ReliabilityPoint): string {
  return `confidence ${percent(point.confidence)}: ${percent(point.accuracy)} right (${percentInterval(point)}, n = ${point.n})`;
}
