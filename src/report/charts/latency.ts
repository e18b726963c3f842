/** @file Median to 95th percentile of student and teacher, on one logarithmic axis. */

import * as Plot from "@observablehq/plot";
import { duration } from "../format.ts";
import type { LatencyQuantiles, LatencySection } from "../report-data.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, decades, gridX } from "./marks.ts";
import { colours } from "./theme.ts";

export type LatencyBar = { readonly who: "student" | "teacher" } & LatencyQuantiles;

export function latencyBars({ student, teacher }: LatencySection): readonly LatencyBar[] {
  return [
    ...(student ? [{ who: "student" as const, ...student }] : []),
    ...(teacher ? [{ who: "teacher" as const, ...teacher }] : []),
  ];
}

export function latencyChart(latency: LatencySection): Chart {
  const bars = latencyBars(latency);
  const values = bars.flatMap(({ p50Ms, p95Ms }) => [p50Ms, p95Ms]);
  const domain = [Math.min(...values) / 1.6, Math.max(...values) * 1.6] as const;
  const ticks = decades(...domain).filter((value) => value >= domain[0] && value <= domain[1]);
  const text = {
    name: "latency",
    title: "Latency of student and teacher",
    description: bars.map(describe).join("; "),
  };
  return chart(text, () => ({
    height: 62 + 52 * bars.length,
    marginTop: 10,
    marginLeft: 66,
    marginRight: 64,
    marginBottom: 46,
    x: { type: "log", domain: [...domain] },
    y: { domain: bars.map(({ who }) => who), tickSize: 0, label: null },
    marks: [
      gridX({ ticks }),
      axisX({ label: "median to 95th percentile", tickFormat: tick, ticks }),
      ...bars.flatMap(barMarks),
    ],
  }));
}

const tick = (ms: number): string => duration(ms).replace(/\.0+([^\d])/, "$1");

function barMarks(bar: LatencyBar): Plot.Markish[] {
  const colour = colours[bar.who];
  const ends = { y: "who", textAnchor: "middle", dy: -16, fill: colours.ink } as const;
  return [
    Plot.ruleY([bar], {
      y: "who",
      x1: "p50Ms",
      x2: "p95Ms",
      stroke: colour,
      strokeWidth: 8,
      strokeOpacity: 0.35,
      strokeLinecap: "round",
    }),
    Plot.dot([bar], { y: "who", x: "p50Ms", r: 6, fill: colour, title: describe }),
    Plot.text([bar], { ...ends, x: "p50Ms", text: ({ p50Ms }: LatencyBar) => duration(p50Ms), fontWeight: 600 }),
    Plot.text([bar], {
      y: "who",
      x: "p95Ms",
      textAnchor: "start",
      dx: 10,
      fill: colours.muted,
      text: ({ p95Ms }: LatencyBar) => duration(p95Ms),
    }),
  ];
}

const describe = ({ who, p50Ms, p95Ms, n }: LatencyBar): string =>
  `${who}: median ${duration(p50Ms)}, 95th percentile ${duration(p95Ms)}, n = ${n}`;
