/** @file Risk–coverage curve: the more of the traffic the student answers, the more often it is wrong. */

import * as Plot from "@observablehq/plot";
import type { Target } from "../../records.ts";
import { percent } from "../format.ts";
import type { RiskCoverage } from "../report-data.ts";
import { basisOf } from "../wording.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, axisY, gridX, gridY, legend, percentTick } from "./marks.ts";
import { colours } from "./theme.ts";

export type CurvePoint = { readonly coverage: number; readonly risk: number };

/** Risk allowed at each coverage: level for `selective`; for `regret`, P(answered ∧ wrong) ≤ ε is risk ≤ ε / coverage. */
export function allowedRisk(target: Target, mostRisk: number): readonly CurvePoint[] {
  const steps = Array.from({ length: 101 }, (_, index) => index / 100);
  const at = (coverage: number) => (target.kind === "selective" ? target.risk : target.risk / coverage);
  return steps.map((coverage) => ({ coverage, risk: at(coverage) })).filter(({ risk }) => risk <= mostRisk);
}

/** Of a handful of rows one mistake is a tower that dwarfs the rest of the curve; it begins where that has passed. */
export function readable(points: readonly CurvePoint[]): readonly CurvePoint[] {
  return points.filter(({ coverage }) => coverage >= 0.05);
}

/** At most `most` points, evenly spaced, ends kept: a drawing shows no more. */
export function thinned<T>(points: readonly T[], most: number): readonly T[] {
  if (points.length <= most) return points;
  return Array.from({ length: most }, (_, index) => points[Math.round((index * (points.length - 1)) / (most - 1))]!);
}

export function riskCoverageChart(curve: RiskCoverage, target: Target): Chart {
  const points = thinned(readable(curve.points), 300);
  const mostRisk = Math.max(target.risk * 2, ...points.map(({ risk }) => risk)) * 1.08;
  const text = {
    name: "risk-coverage",
    title: "Risk and coverage",
    basis: basisOf(curve),
    description: `Share of wrong answers among those given, against the share of traffic answered, on ${curve.n} held-out rows. ${describeChosen(curve)}`,
  };
  return chart(text, (size) => ({
    height: size === "wide" ? 360 : 350,
    ...riskCoverageFrame({ mostRisk, coverage: "coverage: share answered by the student" }, [
      Plot.line(allowedRisk(target, mostRisk), {
        x: "coverage",
        y: "risk",
        stroke: colours.certified,
        strokeDasharray: "5 3",
      }),
      Plot.line(points, { x: "coverage", y: "risk", stroke: colours.student, strokeWidth: 2 }),
      ...chosenMarks(curve.chosen),
      ...legend([
        { text: "wrong answers", colour: colours.student, shape: "line" },
        { text: "allowed", colour: colours.certified, shape: "dashes" },
        ...(curve.chosen ? [{ text: "threshold", colour: colours.certified, shape: "circle" as const }] : []),
      ]),
    ]),
  }));
}

/** Margins, grid and axes of shares around curves of risk over coverage. */
export function riskCoverageFrame(
  { mostRisk, coverage }: { readonly mostRisk: number /** Names the axis. */; readonly coverage: string },
  marks: readonly Plot.Markish[],
): Plot.PlotOptions {
  return {
    marginTop: 46,
    marginLeft: 52,
    marginRight: 26,
    marginBottom: 46,
    x: { domain: [0, 1] },
    y: { domain: [0, mostRisk] },
    marks: [
      gridX({ ticks: 5 }),
      gridY({ ticks: 5 }),
      axisX({ label: coverage, tickFormat: percentTick, ticks: 5 }),
      axisY({ tickFormat: percentTick, ticks: 5 }),
      ...marks,
    ],
  };
}

function chosenMarks(chosen: CurvePoint | undefined): Plot.Markish[] {
  if (!chosen) return [];
  const title = () => `answers ${percent(chosen.coverage)}, ${percent(chosen.risk)} of them wrong`;
  return [
    Plot.dot([chosen], {
      x: "coverage",
      y: "risk",
      r: 6,
      fill: colours.certified,
      stroke: colours.surface,
      strokeWidth: 2,
      title,
    }),
  ];
}

function describeChosen({ chosen }: RiskCoverage): string {
  if (!chosen) return "No threshold is in force.";
  return `At the threshold in force ${percent(chosen.coverage)} is answered and ${percent(chosen.risk)} of that is wrong.`;
}
