/** @file The wheel turning: a share of every round with its interval, promoted rounds filled, the others hollow. */

import * as Plot from "@observablehq/plot";
import type { RoundTraffic } from "../../improve/round-traffic.ts";
import type { Estimate, Round } from "../../records.ts";
import { percent, percentInterval } from "../format.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, axisY, gridY, legend, percentTick } from "./marks.ts";
import { colours } from "./theme.ts";

/** `now`: the traffic since the last round. */
export type RoundPoint = Estimate & { readonly round: number | "now"; readonly promoted: boolean };

export const accuracyPoints = (rounds: readonly Round[]): readonly RoundPoint[] => roundPoints(rounds, "accuracy");

export function escalationPoints(rounds: readonly Round[], { escalated }: RoundTraffic): readonly RoundPoint[] {
  const now: RoundPoint = { round: "now", promoted: false, ...escalated };
  return [...roundPoints(rounds, "escalated"), ...(now.n > 0 ? [now] : [])];
}

/** In order of rounds; those that measured nothing are left out. */
function roundPoints(rounds: readonly Round[], measure: "escalated" | "accuracy"): readonly RoundPoint[] {
  return rounds
    .map((round) => ({ round: round.round, promoted: round.promoted, ...round[measure] }))
    .filter(({ n }) => n > 0)
    .toSorted((a, b) => a.round - b.round);
}

export function escalationChart(rounds: readonly Round[], sinceLastRound: RoundTraffic): Chart {
  return shareOverRounds(escalationPoints(rounds, sinceLastRound), {
    name: "rounds-escalated",
    title: "Escalated share by round",
    colour: colours.teacher,
    domain: ([, high]) => [0, Math.min(1, high * 1.1)],
  });
}

export function accuracyChart(rounds: readonly Round[]): Chart {
  return shareOverRounds(accuracyPoints(rounds), {
    name: "rounds-accuracy",
    title: "Accuracy by round",
    colour: colours.student,
    domain: ([low]) => [Math.max(0, Math.floor(20 * low - 0.5) / 20), 1],
  });
}

type ShareOverRounds = {
  readonly name: string;
  readonly title: string;
  readonly colour: string;
  readonly domain: (seen: readonly [number, number]) => readonly [number, number];
};

function shareOverRounds(points: readonly RoundPoint[], { name, title, colour, domain }: ShareOverRounds): Chart {
  const seen = [Math.min(...points.map(({ low }) => low)), Math.max(...points.map(({ high }) => high))] as const;
  const description = points.map(describe).join("; ");
  return chart({ name, title, description }, (size) => ({
    height: size === "wide" ? 300 : 290,
    marginTop: 46,
    marginLeft: 48,
    marginRight: 26,
    marginBottom: 46,
    x: { type: "point", domain: points.map(({ round }) => round), padding: 0.5 },
    y: { domain: [...domain(seen)] },
    marks: [
      gridY({ ticks: 5 }),
      axisX({ label: "round", tickFormat: String }),
      axisY({ tickFormat: percentTick, ticks: 5 }),
      Plot.line(points, { x: "round", y: "value", stroke: colour, strokeOpacity: 0.5 }),
      Plot.ruleX(points, { x: "round", y1: "low", y2: "high", stroke: colour, strokeWidth: 2, strokeOpacity: 0.45 }),
      Plot.dot(points, {
        x: "round",
        y: "value",
        r: 5,
        fill: colours.surface,
        stroke: colour,
        strokeWidth: 2,
        title: describe,
      }),
      Plot.dot(
        points.filter(({ promoted }) => promoted),
        { x: "round", y: "value", r: 5, fill: colour, title: describe },
      ),
      ...legend([{ text: "promoted (hollow: not)", colour, shape: "circle" }]),
    ],
  }));
}

function describe(point: RoundPoint): string {
  const when = point.round === "now" ? "now" : `round ${point.round}`;
  return `${when}${point.promoted ? ", promoted" : ""}: ${percent(point.value)} (${percentInterval(point)}, n = ${point.n})`;
}
