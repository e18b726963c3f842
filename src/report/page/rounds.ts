/** @file Rounds: what each turn of the wheel learned, and whether it was promoted. */

import type { RoundTraffic } from "../../improve/round-traffic.ts";
import type { Estimate, Round } from "../../records.ts";
import { accuracyChart, accuracyPoints, escalationChart, escalationPoints } from "../charts/rounds.ts";
import { count, unbroken, usd } from "../format.ts";
import { type Html, html, none } from "../html.ts";
import type { ReportData } from "../report-data.ts";
import { figure, missing, section, share, type TableRow, table } from "./parts.ts";

const title = { id: "rounds", title: "Rounds" } as const;

export function roundsPart({ rounds, sinceLastRound }: ReportData): Html {
  if (rounds.length === 0)
    return section(title, missing({ missing: "The wheel has not turned yet.", next: "flywheel improve" }));
  const names = ["Round", "Labels", "Requests", "Escalated", "Accuracy", "Coverage", "Cost"];
  return section(
    {
      ...title,
      lead: "Each escalation is a lesson. Escalation is that of the traffic since the round before; accuracy and coverage are the challenger’s, on the frozen uniform holdout. What was asked after the last round stands under “now”.",
    },
    html`<div class="figures">
${escalationPoints(rounds, sinceLastRound).length > 0 ? figure(escalationChart(rounds, sinceLastRound), { half: true }) : none}
${accuracyPoints(rounds).length > 0 ? figure(accuracyChart(rounds), { half: true }) : none}
</div>`,
    table({
      caption: "Rounds",
      columns: [...names.map((name, index) => ({ name, numeric: index > 0 })), { name: "Promoted" }],
      rows: [...rounds.map(rowOf), ...(sinceLastRound.requests > 0 ? [rowOfNow(sinceLastRound)] : [])],
    }),
  );
}

const cell = (estimate: Estimate) => (estimate.n > 0 ? share(estimate) : "–");

function rowOf(round: Round): TableRow {
  const measured = [cell(round.escalated), cell(round.accuracy), cell(round.coverage)];
  return {
    cells: [
      count(round.round),
      count(round.labels),
      count(round.requests),
      ...measured,
      usd(round.costUsd),
      whyOf(round),
    ],
  };
}

const rowOfNow = ({ requests, escalated }: RoundTraffic): TableRow => ({
  cells: ["now", "–", count(requests), cell(escalated), "–", "–", "–", "no round has learned from these yet"],
});

/** A round says itself whether it was promoted, in words that a column of that name need not repeat. */
function whyOf({ promoted, why }: Pick<Round, "promoted" | "why">): string {
  return `${promoted ? "yes" : "no"}: ${unbroken(why.replace(/^(not )?promoted: /, ""))}`;
}
