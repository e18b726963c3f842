/** @file Labels: how they came about, whether the passes agree, how often the teacher is right, what it cost. */

import { count, percent, plural, usd } from "../format.ts";
import { type Html, html, none } from "../html.ts";
import {
  type AgreementSection,
  isMissing,
  type LabelSection,
  type ReportData,
  type TeacherAccuracy,
} from "../report-data.ts";
import { truthNames } from "../wording.ts";
import { entries, figureOf, missing, partsBar, section, share, table } from "./parts.ts";

const title = { id: "labels", title: "Labels" } as const;

export function labelsPart({ labels, simulatedTeacher }: ReportData): Html {
  if (isMissing(labels)) return section(title, missing(labels));
  const { rows, rulings, people } = labels;
  return section(
    {
      ...title,
      lead: `${plural(rows, "row")} labelled by ${teachersOf(labels)}${rulings > 0 ? `, ${plural(rulings, "ruling")} by ${plural(people, "person").replace("persons", "people")}` : ""}.`,
    },
    partsBar(
      "How the labels in force came to be",
      labels.byBasis.map(({ basis, count: n }, tone) => ({ name: basisNames[basis], count: n, tone })),
    ),
    quality(labels),
    spend(labels, simulatedTeacher),
    failures(labels),
    classes(labels),
  );
}

const basisNames = {
  agreed: "passes agree",
  majority: "majority of three",
  single: "one pass",
  person: "ruled by a person",
  split: "no majority",
} as const;

const teachersOf = ({ teachers }: LabelSection): string =>
  teachers.map(({ id, simulated }) => (simulated ? `${id} (simulated)` : id)).join(", ") || "people";

function quality({ teacherAccuracy: accuracy, agreement }: LabelSection): Html {
  return html`
${entries([
  ...(isMissing(accuracy)
    ? []
    : [{ name: `Teacher accuracy, by ${truthNames[accuracy.truth]}`, value: share(accuracy) }]),
  ...(isMissing(agreement)
    ? []
    : [
        { name: "Passes 1 and 2 agree", value: share(agreement.observed) },
        { name: "Corrected for chance (Cohen’s κ)", value: kappaOf(agreement) },
      ]),
])}
${isMissing(accuracy) ? missing(accuracy) : estimatedHow(accuracy)}
${isMissing(agreement) ? missing(agreement) : agreementNote(agreement)}`;
}

const kappaOf = ({ kappa }: AgreementSection): Html | string =>
  kappa ? figureOf(kappa) : "not defined: one label only";

function estimatedHow({ method, selected }: TeacherAccuracy): Html {
  if (selected) {
    return html`<p class="warning">The rulings behind the teacher’s accuracy are no uniform sample: the review queue prefers doubtful rows, so the teacher is probably better than this.</p>`;
  }
  const how =
    method === "ppi++"
      ? "prediction-powered (PPI++): n rows were judged, and agreement on the others helps"
      : "exact (Clopper–Pearson)";
  return html`<p class="lead">The interval of the teacher’s accuracy is ${how}.</p>`;
}

function agreementNote({ passesAlike }: AgreementSection): Html {
  if (!passesAlike) {
    return html`<p class="lead">Agreement is not accuracy: two passes of one teacher may agree on the same mistake.</p>`;
  }
  return html`<p class="warning">The passes agree so often that they are not independent: they are likely to share their mistakes. Agreement says little here; use another model or another prompt for the second pass.</p>`;
}

function spend(
  { spend: { spentUsd, reservedUsd, labellingUsd, trafficUsd, budgetUsd }, annotations }: LabelSection,
  simulated: boolean,
): Html {
  const rest = spentUsd - labellingUsd - trafficUsd;
  return entries([
    {
      name: simulated ? "Spent on the teacher (simulated)" : "Spent on the teacher",
      value: html`<b>${usd(spentUsd)}</b>`,
    },
    { name: "Labelling", value: usd(labellingUsd) },
    { name: "Live traffic", value: usd(trafficUsd) },
    ...(rest > 1e-9 ? [{ name: "Attempts that brought no answer", value: usd(rest) }] : []),
    ...(reservedUsd > 0 ? [{ name: "Reserved for requests in flight", value: usd(reservedUsd) }] : []),
    { name: "Budget", value: budgetUsd === undefined ? "no limit" : usd(budgetUsd) },
    { name: "Annotations", value: count(annotations) },
  ]);
}

function failures({ failures: kinds, failed }: LabelSection): Html {
  if (kinds.length === 0) return none;
  return table({
    caption: `Passes without a valid answer; ${plural(failed, "row")} never got one`,
    columns: [{ name: "Code" }, { name: "Passes", numeric: true }, { name: "For example" }],
    rows: kinds.map(({ code, count: n, example }) => ({ cells: [html`<code>${code}</code>`, count(n), example] })),
  });
}

function classes({ byClass, rows }: LabelSection): Html {
  if (rows === 0) return none;
  return html`<details><summary>Labels by class</summary>${table({
    caption: "Labels in force by class",
    columns: [{ name: "Class" }, { name: "Rows", numeric: true }, { name: "Share", numeric: true }],
    rows: byClass.map(({ name, count: n }) => ({ cells: [name, count(n), percent(n / rows)] })),
    sortable: true,
  })}</details>`;
}
