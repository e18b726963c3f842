/** @file Training loss by epoch. */

import * as Plot from "@observablehq/plot";
import { decimal } from "../format.ts";
import type { StudentSection } from "../report-data.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, axisY, gridY, legend } from "./marks.ts";
import { colours } from "./theme.ts";

export function trainingChart({ history }: StudentSection): Chart {
  const epochs = history.map(({ loss }, index) => ({ epoch: index + 1, loss }));
  const last = epochs.at(-1);
  const text = {
    name: "training",
    title: "Training loss by epoch",
    description: `${history.length} epochs${last ? `, the last with a loss of ${decimal(last.loss)}` : ""}.`,
  };
  return chart(text, (size) => ({
    height: size === "wide" ? 260 : 240,
    marginTop: 46,
    marginLeft: 48,
    marginRight: 18,
    marginBottom: 46,
    y: { zero: true, nice: true },
    marks: [
      gridY({ ticks: 4 }),
      axisX({
        label: "epoch",
        ticks: Math.min(8, history.length),
        tickFormat: (epoch: number) => (Number.isInteger(epoch) ? String(epoch) : ""),
      }),
      axisY({ ticks: 4, tickFormat: (loss: number) => decimal(loss, 1) }),
      Plot.line(epochs, { x: "epoch", y: "loss", stroke: colours.student, strokeWidth: 2 }),
      ...legend([{ text: "loss", colour: colours.student, shape: "line" }]),
    ],
  }));
}
