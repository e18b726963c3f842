/** @file Where every figure comes from: enough to make the report again. */

import { instant } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { ReportData } from "../report-data.ts";
import { section } from "./parts.ts";

export function provenancePart({ task, provenance, createdAt }: ReportData): Html {
  const asked = [
    {
      name: "Teacher",
      value: task.secondTeacher ? `${task.teacher}, second pass ${task.secondTeacher}` : task.teacher,
    },
    { name: "Instructions", value: task.instructions },
    { name: "Choices", value: task.classes.join(", ") },
  ];
  return section(
    { id: "provenance", title: "Provenance" },
    html`<dl class="entries long">${[...asked, ...provenance, { name: "Report made", value: instant(createdAt) }].map(
      ({ name, value }) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
    )}</dl>`,
  );
}
