/**
 * @file What the charts have in common: axes of shares, whiskers for intervals, a legend inside the drawing (so that the
 * PNG has it too), reference lines with a name.
 */

import * as Plot from "@observablehq/plot";
import { percent } from "../format.ts";
import { colours } from "./theme.ts";

/** 0.7 → 70 % */
export const percentTick = (share: number): string =>
  percent(share, Number.isInteger(Math.round(share * 1e6) / 1e4) ? 0 : 1);

/** Axis text that stays quiet: no arrow, no tick marks, muted. */
const quiet = { tickSize: 0, color: colours.muted, labelArrow: "none", labelAnchor: "center" } as const;

export function axisX({ label, ...options }: { readonly label: string } & Plot.AxisXOptions): Plot.Markish {
  return Plot.axisX({ ...quiet, label, labelOffset: 36, ...options });
}

/** Without a name of its own: the title says what stands upright, where it can be read without turning one's head. */
export function axisY(options: Plot.AxisYOptions): Plot.Markish {
  return Plot.axisY({ ...quiet, label: null, ...options });
}

export const gridX = (options: Plot.GridXOptions = {}): Plot.Markish =>
  Plot.gridX({ stroke: colours.line, strokeOpacity: 1, ...options });
export const gridY = (options: Plot.GridYOptions = {}): Plot.Markish =>
  Plot.gridY({ stroke: colours.line, strokeOpacity: 1, ...options });

export type LegendEntry = {
  readonly text: string;
  readonly colour: string;
  /** A line, a dashed line, a dot, a diamond or a square. */
  readonly shape: "line" | "dashes" | "circle" | "diamond2" | "square";
};

/** One row above the frame, from its left edge. Needs a top margin of about 40. */
export function legend(entries: readonly LegendEntry[], dy = -26): Plot.Markish[] {
  let left = 0;
  return entries.flatMap((entry) => {
    const at = left;
    left += 30 + textWidth(entry.text);
    return [...legendKey(entry, at, dy), legendText(entry.text, at + 18, dy)];
  });
}

function legendKey({ colour, shape }: LegendEntry, dx: number, dy: number): Plot.Markish[] {
  const anchor = { frameAnchor: "top-left", dx: dx + 6, dy } as const;
  if (shape === "circle" || shape === "diamond2" || shape === "square") {
    return [Plot.dot([0], { ...anchor, symbol: shape, fill: colour, r: 4.5 })];
  }
  const text = shape === "line" ? "—" : "- -";
  return [Plot.text([text], { ...anchor, fill: colour, fontWeight: 600, textAnchor: "middle", lineAnchor: "middle" })];
}

function legendText(text: string, dx: number, dy: number): Plot.Markish {
  return Plot.text([text], {
    frameAnchor: "top-left",
    lineAnchor: "middle",
    textAnchor: "start",
    dx,
    dy,
    fill: colours.ink,
  });
}

/** Powers of ten from the one below `least` to the one above `most`: the only lines that a logarithmic grid needs. */
export function decades(least: number, most: number): readonly number[] {
  const [from, to] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  return Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
}

/** About right for Inter at 12 px; a drawing has nothing to measure with. */
export const textWidth = (text: string): number => 7 * [...text].length;

/** The widest of some labels as a margin, within bounds. */
export function labelMargin(
  labels: readonly string[],
  { least, most }: { readonly least: number; readonly most: number },
) {
  return Math.min(most, Math.max(least, 14 + Math.max(0, ...labels.map(textWidth))));
}
