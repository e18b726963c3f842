/**
 * @file One self-contained HTML file: style, fonts, charts and pictures are inside it; nothing is fetched, and no script is
 * needed to read it. Sections follow the wheel.
 */

import { type Html, html } from "../html.ts";
import { isMissing, type ReportData } from "../report-data.ts";
import { headline } from "../wording.ts";
import { confidencePart } from "./confidence.ts";
import { costPart } from "./cost.ts";
import { dataPart } from "./data.ts";
import { documentOf } from "./document.ts";
import { labelsPart } from "./labels.ts";
import { banner, opening } from "./overview.ts";
import { provenancePart } from "./provenance.ts";
import { roundsPart } from "./rounds.ts";
import { servingPart } from "./serving.ts";
import { studentPart } from "./student.ts";
import { thresholdPart } from "./threshold.ts";

/** The whole document as text. */
export function renderPage(data: ReportData): string {
  const footer = html`<footer>Intervals are 95 % unless said otherwise; n is the number of rows behind a figure. Made by Flywheel.</footer>`;
  return documentOf(
    `${data.task.name}: ${headline(data)}`,
    html`${banner(data)}
<div class="inner">${opening(data)}</div>
${navigation(data)}
<main>
${partsOf(data)}
${footer}
</main>`,
  );
}

/** The sections, in the order of the wheel. */
export function partsOf(data: ReportData): Html {
  return html`${dataPart(data)}
${labelsPart(data)}
${studentPart(data)}
${confidencePart(data)}
${thresholdPart(data)}
${servingPart(data)}
${roundsPart(data)}
${costPart(data)}
${provenancePart(data)}`;
}

function navigation(data: ReportData): Html {
  const parts = [
    { id: "data", name: "Data", absent: data.data.rows === 0 },
    { id: "labels", name: "Labels", absent: isMissing(data.labels) },
    { id: "student", name: "Student", absent: isMissing(data.student) },
    { id: "confidence", name: "Confidence", absent: isMissing(data.calibration) },
    { id: "threshold", name: "Threshold", absent: isMissing(data.policy) },
    { id: "serving", name: "Serving", absent: isMissing(data.traffic) && isMissing(data.latency) },
    { id: "rounds", name: "Rounds", absent: data.rounds.length === 0 },
    { id: "cost", name: "Cost", absent: isMissing(data.cost) },
    { id: "provenance", name: "Provenance", absent: false },
  ];
  return html`
<nav aria-label="Sections"><ol>${parts.map(({ id, name, absent }) => html`<li class="${absent ? "absent" : ""}"><a href="#${id}">${name}</a></li>`)}</ol></nav>`;
}
