/** @file Precision and recall of every class with their intervals, worst F1 first. */

import * as Plot from "@observablehq/plot";
import type { Estimate } from "../../records.ts";
import { percent, percentInterval, shorten } from "../format.ts";
import type { ClassMeasures, EvaluationSection } from "../report-data.ts";
import { basisOf } from "../wording.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, gridX, labelMargin, legend } from "./marks.ts";
import { colours } from "./theme.ts";

export type ClassMeasurePoint = Estimate & { readonly label: string; readonly measure: "precision" | "recall" };

/** Classes past this many do not fit a chart; the table has them all. */
export const MOST_CLASSES_DRAWN = 30;

/** Worst F1 first; classes that never occur nor are answered last. */
export function worstFirst(perClass: readonly ClassMeasures[]): readonly ClassMeasures[] {
  return [...perClass].sort((a, b) => (a.f1?.value ?? 2) - (b.f1?.value ?? 2));
}

export function classMeasurePoints(perClass: readonly ClassMeasures[]): readonly ClassMeasurePoint[] {
  return perClass.flatMap(({ label, precision, recall }) => [
    ...(recall ? [{ label, measure: "recall" as const, ...recall }] : []),
    ...(precision ? [{ label, measure: "precision" as const, ...precision }] : []),
  ]);
}

export function classMeasuresChart({ perClass, truth, n }: EvaluationSection): Chart {
  const drawn = worstFirst(perClass).slice(0, MOST_CLASSES_DRAWN);
  const points = classMeasurePoints(drawn);
  const text = {
    name: "class-measures",
    title: "Precision and recall by class",
    basis: basisOf({ truth, n }),
    description: `Precision and recall of ${drawn.length} classes with 95 % intervals, worst F1 first.`,
  };
  return chart(text, (size) => {
    const short = (label: string) => shorten(label, size === "wide" ? 22 : 13);
    return {
      height: 88 + (drawn.length > 8 ? 30 : 42) * drawn.length,
      marginLeft: labelMargin(
        drawn.map(({ label }) => short(label)),
        { least: 40, most: 160 },
      ),
      marginRight: 26,
      marginTop: 40,
      marginBottom: 44,
      x: { domain: [Math.min(0.5, floorTenth(points)), 1] },
      y: { domain: drawn.map(({ label }) => label), tickSize: 0, tickFormat: short, label: null, padding: 0.2 },
      marks: [
        gridX(),
        axisX({ label: "share, with 95 % interval", tickFormat: (share: number) => percent(share, 0), ticks: 5 }),
        ...series(points, { measure: "recall", colour: colours.student, symbol: "circle", dy: -5 }),
        ...series(points, { measure: "precision", colour: colours.teacher, symbol: "diamond2", dy: 5 }),
        ...legend([
          { text: "recall", colour: colours.student, shape: "circle" },
          { text: "precision", colour: colours.teacher, shape: "diamond2" },
        ]),
      ],
    };
  });
}

type Series = {
  readonly measure: ClassMeasurePoint["measure"];
  readonly colour: string;
  readonly symbol: "circle" | "diamond2";
  readonly dy: number;
};

function series(points: readonly ClassMeasurePoint[], { measure, colour, symbol, dy }: Series): Plot.Markish[] {
  const own = points.filter((point) => point.measure === measure);
  const title = (point: ClassMeasurePoint) =>
    `${point.label}, ${measure}: ${percent(point.value)} (${percentInterval(point)}, n = ${point.n})`;
  return [
    Plot.ruleY(own, { y: "label", x1: "low", x2: "high", stroke: colour, strokeWidth: 2, strokeOpacity: 0.45, dy }),
    Plot.dot(own, { y: "label", x: "value", fill: colour, symbol, r: 4.5, dy, title }),
  ];
}

const floorTenth = (points: readonly Estimate[]): number =>
  Math.floor(10 * Math.min(1, ...points.map(({ low }) => low))) / 10;
