/** @file The threshold: what each would cost and keep right, and where the one in force lies. */

import { riskCoverageChart } from "../charts/risk-coverage.ts";
import { thresholdsChart, tradePoints } from "../charts/thresholds.ts";
import { count, decimal, usd } from "../format.ts";
import { type Html, html, none } from "../html.ts";
import { isMissing, type PolicySection, type ReportData } from "../report-data.ts";
import { committeeText, percentShort, sentence, standingOf } from "../wording.ts";
import { against, entries, figure, figureOf, missing, section, share, table } from "./parts.ts";

const title = { id: "threshold", title: "Threshold" } as const;

export function thresholdPart({ policy }: ReportData): Html {
  if (isMissing(policy)) return section(title, missing(policy));
  const { curve } = policy;
  return section(
    { ...title, lead: lead(policy) },
    policy.warnings.map((warning) => html`<p class="warning">${sentence(warning)}</p>`),
    committeePart(policy),
    inForce(policy),
    isMissing(curve)
      ? missing(curve)
      : html`<p>Below, on the ${count(curve.n)} held-out rows. ${against(curve.truth)} Area under the risk–coverage curve (AURC, lower is better): ${figureOf(curve.aurc, 4)}</p>
<div class="figures">
${figure(riskCoverageChart(curve, policy.target), { half: true, caption: allowedCaption(policy) })}
${tradePoints(policy.thresholds).length > 0 ? figure(thresholdsChart(policy.thresholds, curve), { half: true, caption: "Each point a threshold; accuracy is that of what stays with the student." }) : none}
</div>
${thresholdTable(policy)}`,
  );
}

function lead({ target: { kind, risk, delta } }: PolicySection): string {
  const meaning =
    kind === "regret" ? "wrong answers among all requests" : "wrong answers among those the student gives";
  return `Target: ${kind}, at most ${percentShort(risk)} ${meaning}, with probability at least ${percentShort(1 - delta)}.`;
}

function committeePart(policy: PolicySection): Html {
  const text = committeeText(policy);
  return text === undefined ? none : html`<p>Committee: ${text}</p>`;
}

function inForce(policy: PolicySection): Html {
  if (standingOf(policy) !== "certified" || policy.threshold === undefined) return none;
  const reference = policy.reference === "teacher" ? "the teacher’s verdicts" : "people’s rulings";
  return entries([
    { name: "Threshold in force", value: html`<b>${decimal(policy.threshold)}</b>` },
    { name: "Coverage: traffic that the student answers", value: share(policy.coverage) },
    { name: `Wrong among its answers, against ${reference}`, value: share(policy.selectiveRisk) },
  ]);
}

const allowedCaption = ({ target }: PolicySection): string =>
  target.kind === "regret"
    ? "The dashed line is the target: regret allows more risk where less is answered."
    : "The dashed line is the target.";

function thresholdTable({ thresholds: rows, committee }: PolicySection): Html {
  const priced = rows.some(({ perThousandUsd }) => perThousandUsd !== undefined);
  const together = rows.some(({ togetherAccuracy }) => togetherAccuracy !== undefined);
  const names = [
    committee ? "Threshold of the committee’s score" : "Threshold",
    "Escalated",
    "Stays",
    "Accuracy of what stays",
    ...(together ? ["With the teacher’s answers"] : []),
    ...(priced ? ["Per thousand"] : []),
  ];
  return table({
    caption: "What each threshold would do; the shaded row is in force",
    columns: names.map((name, index) => ({ name, numeric: index > 0 })),
    rows: rows.map((row) => ({
      marked: row.chosen,
      cells: [
        decimal(row.threshold, row.chosen ? 3 : 2),
        share(row.escalated),
        count(row.answered),
        row.accuracy ? share(row.accuracy) : "–",
        ...(together ? [row.togetherAccuracy ? share(row.togetherAccuracy) : "–"] : []),
        ...(priced ? [row.perThousandUsd === undefined ? "–" : usd(row.perThousandUsd)] : []),
      ],
    })),
  });
}
