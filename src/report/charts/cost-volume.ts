/** @file What a month costs at each volume, teacher alone against the wheel, both axes logarithmic. */

import * as Plot from "@observablehq/plot";
import { compact, usd } from "../format.ts";
import type { CostSection, VolumeCost } from "../report-data.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, axisY, decades, gridX, gridY, legend } from "./marks.ts";
import { colours } from "./theme.ts";

export type CostPoint = { readonly perMonth: number; readonly usd: number };

export const teacherOnly = (volumes: readonly VolumeCost[]): readonly CostPoint[] =>
  volumes.map(({ perMonth, llmUsd }) => ({ perMonth, usd: llmUsd }));

export const withWheel = (volumes: readonly VolumeCost[]): readonly CostPoint[] =>
  volumes.map(({ perMonth, flywheelUsd }) => ({ perMonth, usd: flywheelUsd }));

export function costVolumeChart({ volumes, breakEvenPerMonth }: CostSection): Chart {
  const [first, last] = [volumes[0]!.perMonth, volumes.at(-1)!.perMonth];
  const spent = volumes.flatMap(({ llmUsd, flywheelUsd }) => [llmUsd, flywheelUsd]);
  const [least, most] = [Math.min(...spent) / 1.3, Math.max(...spent) * 1.3];
  const ticksY = decades(least, most).filter((value) => value >= least && value <= most);
  const text = {
    name: "cost-volume",
    title: "Cost by volume",
    description: `USD a month by requests a month, every request to the teacher against the wheel. ${describeBreakEven(breakEvenPerMonth)}`,
  };
  return chart(text, (size) => ({
    height: size === "wide" ? 340 : 350,
    marginTop: 46,
    marginLeft: 58,
    marginRight: 24,
    marginBottom: 46,
    x: { type: "log" },
    y: { type: "log", domain: [least, most] },
    marks: [
      gridX({ ticks: decades(first, last) }),
      gridY({ ticks: ticksY }),
      axisX({ label: "requests a month", tickFormat: compact, ticks: decades(first, last) }),
      axisY({ tickFormat: (value: number) => usd(value).replace(/\.00$/, ""), ticks: ticksY }),
      ...breakEvenMarks(breakEvenPerMonth, volumes),
      ...line(teacherOnly(volumes), { colour: colours.teacher, symbol: "diamond2", name: "teacher alone" }),
      ...line(withWheel(volumes), { colour: colours.student, symbol: "circle", name: "wheel" }),
      ...legend([
        { text: "teacher alone", colour: colours.teacher, shape: "diamond2" },
        { text: "wheel, all in", colour: colours.student, shape: "circle" },
      ]),
    ],
  }));
}

type Line = { readonly colour: string; readonly symbol: "circle" | "diamond2"; readonly name: string };

function line(points: readonly CostPoint[], { colour, symbol, name }: Line): Plot.Markish[] {
  const place = { x: "perMonth", y: "usd" } as const;
  const title = (point: CostPoint) => `${name}, ${compact(point.perMonth)} a month: ${usd(point.usd)}`;
  return [
    Plot.line(points, { ...place, stroke: colour, strokeWidth: 2 }),
    Plot.dot(points, { ...place, fill: colour, symbol, r: 4.5, title }),
  ];
}

/** Named inside the frame, and only where the break-even lies inside it. */
function breakEvenMarks(breakEven: number | undefined, volumes: readonly VolumeCost[]): Plot.Markish[] {
  const [first, last] = [volumes[0]?.perMonth ?? 0, volumes.at(-1)?.perMonth ?? 0];
  if (breakEven === undefined || breakEven < first || breakEven > last) return [];
  const rightHalf = breakEven > Math.sqrt(first * last);
  return [
    Plot.ruleX([breakEven], { stroke: colours.certified, strokeDasharray: "5 3" }),
    Plot.text([breakEven], {
      x: (value: number) => value,
      frameAnchor: "bottom",
      dy: -8,
      dx: rightHalf ? -6 : 6,
      textAnchor: rightHalf ? "end" : "start",
      text: (value: number) => `break-even ${compact(value)}`,
      fill: colours.certified,
      fontWeight: 600,
    }),
  ];
}

function describeBreakEven(breakEven: number | undefined): string {
  return breakEven === undefined
    ? "The wheel never becomes the cheaper."
    : `The wheel is the cheaper from ${compact(breakEven)} requests a month.`;
}
