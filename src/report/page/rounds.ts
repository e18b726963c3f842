/** @file Rounds: what each turn of the wheel learned, and whether it was promoted. */

import type { Estimate, Round } from "../../records.ts";
import { accuracyChart, escalationChart, roundPoints } from "../charts/rounds.ts";
import { count, unbroken, usd } from "../format.ts";
import { type Html, html, none } from "../html.ts";
import type { ReportData } from "../report-data.ts";
import { figure, missing, section, share, table } from "./parts.ts";

const title = { id: "rounds", title: "Rounds" } as const;

export function roundsPart({ rounds }: ReportData): Html {
  if (rounds.length === 0)
    return section(title, missing({ missing: "The wheel has not turned yet.", next: "flywheel improve" }));
  const cell = (estimate: Estimate) => (estimate.n > 0 ? share(estimate) : "–");
  const names = ["Round", "Labels", "Requests", "Escalated", "Accuracy", "Coverage", "Cost"];
  return section(
    {
      ...title,
      lead: "Each escalation is a lesson. Escalation is that of the traffic since the round before; accuracy and coverage are the challenger’s, on the frozen uniform holdout.",
    },
    html`<div class="figures">
${roundPoints(rounds, "escalated").length > 0 ? figure(escalationChart(rounds), { half: true }) : none}
${roundPoints(rounds, "accuracy").length > 0 ? figure(accuracyChart(rounds), { half: true }) : none}
</div>`,
    table({
      caption: "Rounds",
      columns: [...names.map((name, index) => ({ name, numeric: index > 0 })), { name: "Promoted" }],
      rows: rounds.map((round) => ({
        cells: [
          count(round.round),
          count(round.labels),
          count(round.requests),
          cell(round.escalated),
          cell(round.accuracy),
          cell(round.coverage),
          usd(round.costUsd),
          whyOf(round),
        ],
      })),
    }),
  );
}

/** A round says itself whether it was promoted, in words that a column of that name need not repeat. */
function whyOf({ promoted, why }: Pick<Round, "promoted" | "why">): string {
  return `${promoted ? "yes" : "no"}: ${unbroken(why.replace(/^(not )?promoted: /, ""))}`;
}
