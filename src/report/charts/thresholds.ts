/**
 * @file The cost–accuracy trade: each threshold is a point, priced by the teacher calls that it causes. Where the teacher
 * has no price, the escalated share stands in for it.
 */

import * as Plot from "@observablehq/plot";
import { decimal, percent, percentInterval, usd } from "../format.ts";
import type { RiskCoverage, ThresholdRow } from "../report-data.ts";
import { basisOf } from "../wording.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, axisY, gridX, gridY, legend, percentTick } from "./marks.ts";
import { colours } from "./theme.ts";

export type TradePoint = {
  readonly threshold: number;
  readonly chosen: boolean;
  /** USD a thousand requests, or the escalated share. */
  readonly price: number;
  readonly accuracy: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
};

/** One point for each threshold at which anything stays with the student. */
export function tradePoints(rows: readonly ThresholdRow[]): readonly TradePoint[] {
  const priced = isPriced(rows);
  return rows.flatMap(({ threshold, chosen, accuracy, escalated, perThousandUsd }) => {
    if (!accuracy) return [];
    const { value, low, high, n } = accuracy;
    const price = priced ? (perThousandUsd ?? 0) : escalated.value;
    return [{ threshold, chosen, price, accuracy: value, low, high, n }];
  });
}

export const isPriced = (rows: readonly ThresholdRow[]): boolean =>
  rows.every(({ perThousandUsd }) => perThousandUsd !== undefined);

export function thresholdsChart(rows: readonly ThresholdRow[], curve: RiskCoverage): Chart {
  const points = tradePoints(rows);
  const priced = isPriced(rows);
  const text = {
    name: "thresholds",
    title: "Cost and accuracy by threshold",
    basis: basisOf(curve),
    description: `Accuracy of what the student keeps against ${priced ? "cost per thousand requests" : "the share escalated"}, at ${points.length} thresholds.`,
  };
  return chart(text, (size, width) => ({
    height: size === "wide" ? 360 : 350,
    marginTop: 46,
    marginLeft: 52,
    marginRight: 26,
    marginBottom: 46,
    x: { nice: true, insetLeft: 8, insetRight: 12 },
    y: { domain: [Math.floor(50 * Math.min(...points.map(({ low }) => low))) / 50, 1], insetTop: 22 },
    marks: [
      gridX({ ticks: 4 }),
      gridY({ ticks: 5 }),
      axisX({
        label: priced ? "USD per thousand requests" : "share escalated",
        tickFormat: priced ? usd : percentTick,
        ticks: 4,
      }),
      axisY({ tickFormat: percentTick, ticks: 5 }),
      Plot.line(
        [...points].sort((a, b) => a.price - b.price),
        { x: "price", y: "accuracy", stroke: colours.muted, strokeOpacity: 0.6 },
      ),
      ...[false, true].flatMap((chosen) =>
        pointMarks(
          points.filter((point) => point.chosen === chosen),
          chosen,
        ),
      ),
      ...labelMarks(points, width - 78),
      ...legend([
        { text: "accuracy of what stays", colour: colours.student, shape: "circle" },
        { text: "in force", colour: colours.certified, shape: "circle" },
      ]),
    ],
  }));
}

function pointMarks(points: readonly TradePoint[], chosen: boolean): Plot.Markish[] {
  const colour = chosen ? colours.certified : colours.student;
  return [
    Plot.ruleX(points, { x: "price", y1: "low", y2: "high", stroke: colour, strokeWidth: 2, strokeOpacity: 0.4 }),
    Plot.dot(points, { x: "price", y: "accuracy", fill: colour, r: chosen ? 6 : 4.5, stroke: colours.surface, title }),
  ];
}

/** Above their points; left off where one would stand on another. The one in force is always named. */
function labelMarks(points: readonly TradePoint[], width: number): Plot.Markish[] {
  const labels = spaced(points, width).map((point) => ({ ...point, label: decimal(point.threshold, 2) }));
  const place = { x: "price", y: "accuracy", text: "label", dy: -13, stroke: colours.surface, strokeWidth: 4 } as const;
  return [
    Plot.text(
      labels.filter(({ chosen }) => !chosen),
      { ...place, fill: colours.muted },
    ),
    Plot.text(
      labels.filter(({ chosen }) => chosen),
      { ...place, fill: colours.certified, fontWeight: 600 },
    ),
  ];
}

const LABEL_WIDTH = 30;

function spaced(points: readonly TradePoint[], width: number): readonly TradePoint[] {
  const prices = points.map(({ price }) => price);
  const pixels = width / (Math.max(...prices) - Math.min(...prices) || 1);
  const kept: TradePoint[] = [];
  for (const point of points.toSorted((a, b) => Number(b.chosen) - Number(a.chosen) || a.price - b.price)) {
    if (kept.every((other) => Math.abs(other.price - point.price) * pixels >= LABEL_WIDTH)) kept.push(point);
  }
  return kept;
}

function title(point: TradePoint): string {
  return `from ${decimal(point.threshold, 2)}: ${percent(point.accuracy)} right (${percentInterval(point)}, n = ${point.n})`;
}
