/** @file What comes first: the banner, the headline, the key figures with their intervals, the certificate. */

import { escalationPoints } from "../charts/rounds.ts";
import { compact, count, decimal, duration, percent, percentInterval, sample, usd } from "../format.ts";
import { type Html, html, none } from "../html.ts";
import { type PolicySection, present, type Range, type ReportData } from "../report-data.ts";
import {
  certificateClauses,
  explanation,
  headline,
  noCertificateText,
  percentShort,
  standingOf,
  truthNames,
} from "../wording.ts";

/** Cannot be missed, on every report that a simulated teacher had a hand in. */
export function banner({ simulatedTeacher }: ReportData): Html {
  if (!simulatedTeacher) return none;
  return html`
<aside class="banner" role="note"><div class="inner"><p><b>Simulated teacher.</b> The labels, costs and latencies of the teacher on this page come from a simulator, not from an LLM.</p></div></aside>`;
}

export function opening(data: ReportData): Html {
  return html`
<header>
  <p class="eyebrow">Flywheel report · ${data.task.name}</p>
  <h1>${headline(data)}</h1>
  ${(data.warnings ?? []).map((warning) => html`<p class="warning">${warning}</p>`)}
  ${explained(data)}
  ${keyFigures(data)}
  ${certificate(data)}
</header>`;
}

function explained(data: ReportData): Html {
  const text = explanation(data);
  return text === undefined ? none : html`<p class="explanation">${text}</p>`;
}

type KeyFigure = { readonly name: string; readonly figure: string; readonly note: string };

function keyFigures(data: ReportData): Html {
  const figures = [coverage(data), risk(data), accuracy(data), escalation(data), speed(data), money(data)].filter(
    (figure) => figure !== undefined,
  );
  if (figures.length === 0) return none;
  return html`
<dl class="keys">${figures.map(
    ({ name, figure, note }) =>
      html`<div><dt>${name}</dt><dd><span class="figure">${figure}</span><br><span class="note">${note}</span></dd></div>`,
  )}</dl>`;
}

function coverage({ policy }: ReportData): KeyFigure | undefined {
  const section = present(policy);
  if (!section || standingOf(section) !== "certified") return undefined;
  const { value, n } = section.coverage;
  return {
    name: "Answered by the student",
    figure: percent(value),
    note: `${percentInterval(section.coverage)} of traffic, ${sample(n)}`,
  };
}

function risk({ policy }: ReportData): KeyFigure | undefined {
  const section = present(policy);
  const certificate = section?.certificate;
  if (!section || !certificate || standingOf(section) !== "certified") return undefined;
  const { kind, risk: allowed } = certificate.target;
  const sure = percentShort(1 - certificate.deltaSpent);
  return {
    name: kind === "regret" ? "Regret, upper bound" : "Wrong among its answers, upper bound",
    figure: percent(certificate.bound),
    note: `certified at ${sure}; allowed ${percentShort(allowed)}, ${sample(kind === "regret" ? certificate.n : certificate.accepted)}`,
  };
}

function accuracy({ evaluation }: ReportData): KeyFigure | undefined {
  const section = present(evaluation);
  if (!section) return undefined;
  return {
    name: "Accuracy, if it answered everything",
    figure: percent(section.accuracy.value),
    note: `${percentInterval(section.accuracy)} against ${truthNames[section.truth]}, ${sample(section.n)}`,
  };
}

function escalation({ rounds, sinceLastRound }: ReportData): KeyFigure | undefined {
  const points = escalationPoints(rounds, sinceLastRound);
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || first === last) return undefined;
  return {
    name: `Escalated, round ${first.round} to ${last.round}`,
    figure: `${percent(first.value, 0)} → ${percent(last.value, 0)}`,
    note: `now ${percentInterval(last)}, ${sample(last.n)}`,
  };
}

function speed({ latency }: ReportData): KeyFigure | undefined {
  const section = present(latency);
  if (!section?.student || !section.teacher || section.speedup === undefined) return undefined;
  return {
    name: "Faster than the teacher",
    figure: `${decimal(section.speedup, section.speedup < 10 ? 1 : 0)} ×`,
    note: `median ${duration(section.student.p50Ms)} against ${duration(section.teacher.p50Ms)}, ${sample(section.student.n)} and ${count(section.teacher.n)}`,
  };
}

/** Where nothing is certified there is nothing to save: the worksheet says so, no headline figure does. */
function money({ cost, policy }: ReportData): KeyFigure | undefined {
  const section = present(cost);
  if (!section || standingOf(present(policy)) !== "certified") return undefined;
  const saved = section.savedPerMonthUsd;
  return {
    name: `Saved a month at ${compact(section.referenceVolume)} requests`,
    figure: usd(saved.value),
    note: `${usdRange(saved)}; ${percent(section.savedShare.value, 0)} of the teacher’s bill, ${sample(section.inputs.coverage.n)}`,
  };
}

export const usdRange = ({ low, high }: Range): string => `${usd(low)} to ${usd(high)}`;

function certificate(data: ReportData): Html {
  const policy = present(data.policy);
  if (!policy) return none;
  return standingOf(policy) === "certified" ? standingCertificate(policy, data) : noCertificate(policy);
}

function standingCertificate(policy: PolicySection, { task, labels }: ReportData): Html {
  if (!policy.certificate) return none;
  const accuracy = present(labels)?.teacherAccuracy;
  const context = { teacher: task.teacher, teacherAccuracy: accuracy && present(accuracy) };
  const clauses = certificateClauses(policy, policy.certificate, context);
  return html`
<div class="certificate good"><h2>The certificate</h2>
  <dl>${clauses.map(({ name, text }) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
</div>`;
}

const noCertificate = (policy: PolicySection): Html => html`
<div class="certificate"><h2>No certificate</h2><p>${noCertificateText(policy)}</p></div>`;
