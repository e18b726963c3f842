/** @file The cost worksheet: every request to the teacher against the wheel, everything included. */

import { costVolumeChart } from "../charts/cost-volume.ts";
import { compact, count, percent, sample, usd } from "../format.ts";
import { type Html, html, none } from "../html.ts";
import { type CostSection, isMissing, type ReportData } from "../report-data.ts";
import { usdRange } from "./overview.ts";
import { entries, figure, missing, section, table } from "./parts.ts";

const title = { id: "cost", title: "Cost" } as const;

export function costPart({ cost, simulatedTeacher }: ReportData): Html {
  if (isMissing(cost)) return section(title, missing(cost));
  const volume = `${compact(cost.referenceVolume)} a month`;
  const uncertified = cost.inputs.coverage.value === 0;
  return section(
    {
      ...title,
      lead: "Cost a request = hosting + (1 − coverage + audited) × teacher call + rulings + retraining + labelling, spread out.",
    },
    entries([
      {
        name: `Saved at ${volume}`,
        value: html`<b>${usd(cost.savedPerMonthUsd.value)}</b> <span class="interval">${usdRange(cost.savedPerMonthUsd)}, ${sample(cost.inputs.coverage.n)}</span>`,
      },
      { name: "Per thousand, teacher alone", value: usd(cost.perThousandLlmUsd) },
      {
        name: `Per thousand, the wheel at ${volume}`,
        value: html`<b>${usd(cost.perThousandFlywheelUsd.value)}</b> <span class="interval">${usdRange(cost.perThousandFlywheelUsd)}</span>`,
      },
      {
        name: "Cheaper from",
        value:
          cost.breakEvenPerMonth === undefined
            ? "never, as things are"
            : html`<b>${count(cost.breakEvenPerMonth)}</b> requests a month`,
      },
      {
        name: "Labelling and rulings paid back after",
        value: cost.paidBackAfter === undefined ? "never, as things are" : `${count(cost.paidBackAfter)} requests`,
      },
      ...(simulatedTeacher ? [{ name: "Prices", value: "the simulated teacher’s" }] : []),
    ]),
    uncertified
      ? html`<p class="warning">Nothing is certified, so every request costs a teacher call, and the rest comes on top. The table of thresholds above says what each would cost.</p>`
      : none,
    figure(costVolumeChart(cost), { caption: "USD a month; both axes logarithmic." }),
    worksheet(cost),
    html`<h3>What this assumes</h3><ul class="assumptions">${cost.assumptions.map((assumption) => html`<li>${assumption}</li>`)}</ul>`,
  );
}

function worksheet({ volumes }: CostSection): Html {
  const names = [
    "Requests a month",
    "Teacher alone",
    "The wheel",
    "Saved",
    "Hosting, training",
    "Escalations",
    "Audits",
    "Rulings",
    "Labelling",
  ];
  return table({
    caption: "Cost worksheet, USD a month",
    columns: names.map((name, index) => ({ name, numeric: index > 0 })),
    rows: volumes.map((cost) => ({
      cells: [
        count(cost.perMonth),
        usd(cost.llmUsd),
        html`<b>${usd(cost.flywheelUsd)}</b>`,
        percent(cost.savedShare, 0),
        ...[
          cost.hostingUsd + cost.retrainUsd,
          cost.escalationsUsd,
          cost.auditsUsd,
          cost.rulingsUsd,
          cost.warmUpUsd,
        ].map(usd),
      ],
    })),
  });
}
