/** @file Confidence: does it mean what it says, and does it rank right answers above wrong ones? */

import type { Calibrator } from "../../records.ts";
import { confidenceChart } from "../charts/confidence.ts";
import { reliabilityChart } from "../charts/reliability.ts";
import { count, decimal, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { type CalibrationSection, confidenceThreshold, isMissing, present, type ReportData } from "../report-data.ts";
import { against, entries, figure, figureOf, missing, section, share, table } from "./parts.ts";

const title = { id: "confidence", title: "Confidence" } as const;

export function confidencePart({ calibration, policy }: ReportData): Html {
  if (isMissing(calibration)) return section(title, missing(calibration));
  return section(
    {
      ...title,
      lead: html`A threshold is worth what confidence is worth. Errors and losses: lower is better; AUROC: higher. ${calibratorText(calibration.calibrator)} ${against(calibration.truth)}`,
    },
    entries([
      { name: "Expected calibration error", value: share(calibration.ece) },
      { name: "The same before calibration", value: share(calibration.eceBefore) },
      { name: "Brier score (0 to 2)", value: figureOf(calibration.brier) },
      { name: "Log loss, nats", value: figureOf(calibration.nll) },
      ...(calibration.auroc ? [{ name: "AUROC of confidence (blind: 0.5)", value: figureOf(calibration.auroc) }] : []),
      ...(calibration.errorsInLeastConfident
        ? [
            {
              name: "Share of all errors that the least confident fifth holds",
              value: share(calibration.errorsInLeastConfident),
            },
          ]
        : []),
    ]),
    html`<div class="figures">
${figure(reliabilityChart(calibration), { half: true, caption: "Equal-mass bins: as many rows in each.", numbers: binTable(calibration) })}
${figure(confidenceChart(calibration, confidenceThreshold(present(policy))), { half: true, caption: `${count(calibration.n)} held-out rows; wrong ones stand on the axis.`, numbers: histogramTable(calibration) })}
</div>`,
  );
}

function calibratorText(calibrator: Calibrator | undefined): string {
  if (!calibrator) return "Nothing is calibrated yet: this is the plain softmax.";
  switch (calibrator.kind) {
    case "temperature":
      return `Calibrated by temperature (T = ${decimal(calibrator.temperature, 2)}).`;
    case "beta":
      return `Calibrated by beta calibration (a = ${decimal(calibrator.a, 2)}, b = ${decimal(calibrator.b, 2)}, c = ${decimal(calibrator.c, 2)}).`;
    case "isotonic":
      return `Calibrated by isotonic regression (${count(calibrator.score.length)} steps).`;
    default:
      return calibrator satisfies never;
  }
}

function binTable({ bins }: CalibrationSection): Html {
  return table({
    caption: "Accuracy by confidence, equal-mass bins",
    columns: [{ name: "Mean confidence" }, { name: "Accuracy", numeric: true }],
    rows: bins.map(({ confidence, accuracy }) => ({ cells: [percent(confidence), share(accuracy)] })),
  });
}

function histogramTable({ histogram }: CalibrationSection): Html {
  return table({
    caption: "Held-out rows by confidence",
    columns: [{ name: "Confidence" }, { name: "Right", numeric: true }, { name: "Wrong", numeric: true }],
    rows: histogram.map(({ from, to, right, wrong }) => ({
      cells: [`${percent(from, 0)} to ${percent(to, 0)}`, count(right), count(wrong)],
    })),
  });
}
