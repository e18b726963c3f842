/** @file The student: what it is, what it gets right on rows that it never saw, and what it mistakes for what. */

import type { Estimate } from "../../records.ts";
import { classMeasuresChart, MOST_CLASSES_DRAWN as MOST_MEASURED, worstFirst } from "../charts/class-measures.ts";
import { classesDrawn, confusionChart } from "../charts/confusion.ts";
import { trainingChart } from "../charts/training.ts";
import { bytes, count, duration, instant, percent, plural, sample } from "../format.ts";
import { type Child, type Html, html, none } from "../html.ts";
import {
  type ConfusionExample,
  type ConfusionPair,
  type EvaluationSection,
  isMissing,
  type ReportData,
  type StudentSection,
} from "../report-data.ts";
import { truthNames } from "../wording.ts";
import { featuresPart } from "./features.ts";
import { against, entries, figure, figureOf, missing, section, share, table } from "./parts.ts";

const title = { id: "student", title: "Student" } as const;

export function studentPart({ student, evaluation, rounds }: ReportData): Html {
  if (isMissing(student)) return section(title, missing(student));
  const lead = `${student.trainer}, trained on ${plural(student.trainingRows, "label")} in ${duration(student.trainingMs)}. ${standing(student)}`;
  return section(
    { ...title, lead },
    entries([
      { name: "Parameters", value: count(student.parameters) },
      { name: "Size", value: bytes(student.sizeBytes) },
      { name: "Trained", value: instant(student.createdAt) },
    ]),
    isMissing(evaluation) ? missing(evaluation) : measures(evaluation),
    student.history.length > 1 ? figure(trainingChart(student)) : none,
    featuresPart(student),
    candidates(student, rounds),
  );
}

/** Those that this student was chosen from. */
function candidates({ modelId }: StudentSection, rounds: ReportData["rounds"]): Html {
  const among = rounds.findLast(({ challenger }) => challenger === modelId)?.candidates;
  if (!among) return none;
  const names = ["Candidate", "Accuracy", "Coverage", "Behind", "p", "One decision", "Size", "Training"];
  return table({
    caption:
      "Candidates, cheapest first, on out-of-fold and calibrate rows. The cheapest that is not shown to be worse is chosen; it alone is certified.",
    columns: names.map((name, index) => ({ name, numeric: index > 0 })),
    rows: among.map((one) => ({
      marked: one.chosen,
      cells: [
        one.chosen ? `${one.name} (chosen)` : one.name,
        share(one.accuracy),
        share(one.coverage),
        share(one.behind),
        one.p.toFixed(3),
        one.p50Ms === undefined ? "–" : duration(one.p50Ms),
        bytes(one.sizeBytes),
        duration(one.trainingMs),
      ],
    })),
  });
}

function standing({ champion, newerModelId }: StudentSection): string {
  const newer = newerModelId ? ` A newer one, ${newerModelId.slice(0, 12)}, has not taken its place.` : "";
  return `${champion ? "It is the champion." : "It does not serve yet."}${newer}`;
}

function measures(evaluation: EvaluationSection): Html {
  const { truth, n, heldOut } = evaluation;
  return html`
<p>Measured on ${plural(n, "held-out row")}${n < heldOut ? ` of ${count(heldOut)}` : ""}, drawn uniformly and never trained on. ${against(truth)}</p>
${entries([
  ...evaluation.accuracies.map(({ truth: other, accuracy }) => ({
    name: `Accuracy against ${truthNames[other]}`,
    value: share(accuracy),
  })),
  { name: "Balanced accuracy (mean recall)", value: share(evaluation.balancedAccuracy) },
  { name: "Matthews correlation", value: figureOf(evaluation.mcc) },
  { name: "Baseline: always the commonest class", value: percent(evaluation.constantAccuracy) },
  { name: "Differences below this mean nothing", value: `± ${percent(evaluation.resolution)}, ${sample(n)}` },
])}
<div class="figures">
${figure(confusionChart(evaluation), { half: evaluation.classes.length <= 8, caption: confusionCaption(evaluation), numbers: confusionTable(evaluation) })}
${figure(classMeasuresChart(evaluation), { half: evaluation.classes.length <= 8, caption: classCaption(evaluation), numbers: classTable(evaluation) })}
</div>
${confusions(evaluation)}`;
}

function confusionCaption(evaluation: EvaluationSection): string {
  const drawn = classesDrawn(evaluation).length;
  const some =
    drawn < evaluation.classes.length ? ` The ${drawn} classes with most errors of ${evaluation.classes.length}.` : "";
  return `Rows: ${truthNames[evaluation.truth]}. Columns: the student. Shade: share of the row.${some}`;
}

function confusionTable({ confusion, classes }: EvaluationSection): Html {
  return table({
    caption: "Counts of held-out rows: truth by student",
    columns: [{ name: "" }, ...classes.map((name) => ({ name, numeric: true }))],
    rows: confusion.map((row, index) => ({ cells: [classes[index], ...row.map(count)] })),
  });
}

const classCaption = ({ classes }: EvaluationSection): string =>
  `With 95 % intervals, worst F1 first.${classes.length > MOST_MEASURED ? ` The worst ${MOST_MEASURED} of ${classes.length}.` : ""}`;

function classTable({ perClass }: EvaluationSection): Html {
  const cell = (estimate: Estimate | undefined): Child => (estimate ? share(estimate) : "–");
  return table({
    caption: "Precision, recall and F1 by class with 95 % intervals",
    columns: ["Class", "Rows", "Precision", "Recall", "F1"].map((name, index) => ({ name, numeric: index > 0 })),
    rows: worstFirst(perClass).map(({ label, support, precision, recall, f1 }) => ({
      cells: [label, count(support), cell(precision), cell(recall), cell(f1)],
    })),
    sortable: true,
  });
}

function confusions({ confusions: pairs, truth }: EvaluationSection): Html {
  if (pairs.length === 0) return html`<p>No mistakes among these rows.</p>`;
  return html`
<h3>What it mistakes</h3>
<p class="lead">The most frequent confusions, each with the rows on which the student was surest. ${against(truth)}</p>
<ul class="confusions">${pairs.map(pair)}</ul>`;
}

function pair({ truth, student, count: n, share: ofTruth, examples }: ConfusionPair): Html {
  return html`<li><h4>${truth}, answered as ${student}</h4>
<p>${plural(n, "row")}, ${percent(ofTruth)} of ${truth}</p>
<ul class="examples">${examples.map((example) => shown(example, truth))}</ul></li>`;
}

/** Of a path, the part that tells rows apart. */
const lastSegment = (source: string): string => source.split(/[\\/]/).at(-1) || source;

function shown({ shown: what, confidence, source, teacher }: ConfusionExample, truth: string): Html {
  const note = html`<span>${percent(confidence, 0)} sure</span>${teacher === undefined ? none : html`<br>teacher: ${teacher}`}<span class="source" title="${source}">${lastSegment(source)}</span>`;
  if (what.kind === "image")
    return html`<li><img src="${what.dataUri}" alt="${truth}: ${lastSegment(source)}" width="96" height="96" decoding="async">${note}</li>`;
  return html`<li class="words"><blockquote>${what.text}</blockquote>${note}</li>`;
}
