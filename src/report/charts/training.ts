/** @file The loss step by step: epochs of a network, rounds of trees, penalties that a linear model was tried with. */

import * as Plot from "@observablehq/plot";
import { decimal } from "../format.ts";
import type { StudentSection } from "../report-data.ts";
import { type Chart, chart } from "./draw.ts";
import { axisX, axisY, gridY, legend } from "./marks.ts";
import { colours } from "./theme.ts";

type Steps = { readonly title: string; readonly one: string; readonly many: string };

const epochSteps: Steps = { title: "Training loss by epoch", one: "epoch", many: "epochs" };
const stepsByTrainer: Readonly<Record<string, Steps>> = {
  xgboost: { title: "Loss by round of boosting", one: "round", many: "rounds" },
  "linear-text": { title: "Loss out of fold by penalty tried", one: "penalty, weaker and weaker", many: "penalties" },
};

export function trainingChart({ history, trainer }: StudentSection): Chart {
  const steps = stepsByTrainer[trainer] ?? epochSteps;
  const epochs = history.map(({ loss }, index) => ({ epoch: index + 1, loss }));
  const last = epochs.at(-1);
  const text = {
    name: "training",
    title: steps.title,
    description: `${history.length} ${steps.many}${last ? `, the last with a loss of ${decimal(last.loss)}` : ""}.`,
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
        label: steps.one,
        ticks: Math.min(8, history.length),
        tickFormat: (epoch: number) => (Number.isInteger(epoch) ? String(epoch) : ""),
      }),
      axisY({ ticks: 4, tickFormat: (loss: number) => decimal(loss, 1) }),
      Plot.line(epochs, { x: "epoch", y: "loss", stroke: colours.student, strokeWidth: 2 }),
      ...legend([{ text: "loss", colour: colours.student, shape: "line" }]),
    ],
  }));
}
