/** @file Serving: where requests went and why, and how long each side takes. */

import { latencyChart } from "../charts/latency.ts";
import { count, decimal, duration, instant, sample } from "../format.ts";
import { type Html, html } from "../html.ts";
import { isMissing, type LatencySection, type ReportData, type TrafficSection } from "../report-data.ts";
import { entries, figure, missing, partsBar, section, share } from "./parts.ts";

export function servingPart({ traffic, latency, task }: ReportData): Html {
  return section(
    { id: "serving", title: "Serving" },
    isMissing(traffic) ? missing(traffic) : requests(traffic),
    isMissing(latency) ? missing(latency) : timing(latency, task.inputKind),
  );
}

/** The student's colour where it answered, the teacher's where that did. */
const tones = new Map([
  ["answered", 0],
  ["escalated", 1],
  ["audited", 2],
  ["degraded", 3],
]);

function requests({ requests: total, byRoute, byReason, escalated, overBudget, from, to }: TrafficSection): Html {
  return html`
<p class="lead">${count(total)} requests from ${instant(from)} to ${instant(to)}.</p>
${partsBar(
  "Where requests went",
  byRoute.map(({ name, count: n }) => ({ name, count: n, tone: tones.get(name) ?? 4 })),
)}
${entries([
  { name: "Escalated to the teacher", value: share(escalated) },
  ...(byReason.length > 0
    ? [{ name: "Why", value: byReason.map(({ name, count: n }) => `${name} ${count(n)}`).join(", ") }]
    : []),
  ...(overBudget ? [{ name: "Not asked because the budget was spent", value: share(overBudget) }] : []),
])}`;
}

function timing(latency: LatencySection, kind: ReportData["task"]["inputKind"]): Html {
  const { student, teacher, imagesPerSecond, speedup, studentBasis } = latency;
  const things = kind === "image" ? "Images" : "Rows";
  const basis =
    studentBasis === "measured" ? "bytes to label, one at a time, in this process" : "request to response, as served";
  return html`
${figure(latencyChart(latency), { caption: student ? `Student: ${basis}.` : "The student has not been timed." })}
${entries([
  ...(student ? [{ name: "Student, median and 95th percentile", value: times(student) }] : []),
  ...(teacher ? [{ name: "Teacher, median and 95th percentile", value: times(teacher) }] : []),
  ...(imagesPerSecond
    ? [
        {
          name: `${things} per second, ${studentBasis === "measured" ? "in batches" : "one after another"}`,
          value: html`<b>${count(imagesPerSecond)}</b>`,
        },
      ]
    : []),
  ...(speedup
    ? [{ name: "Speed-up (median to median)", value: html`<b>${decimal(speedup, speedup < 10 ? 1 : 0)} ×</b>` }]
    : []),
])}`;
}

const times = ({ p50Ms, p95Ms, n }: { readonly p50Ms: number; readonly p95Ms: number; readonly n: number }): Html =>
  html`<b>${duration(p50Ms)}</b>, ${duration(p95Ms)} <span class="interval">${sample(n)}</span>`;
