/**
 * @file The report of a task of several fields: first all of them side by side, then each as a report of its own has it, one
 * after the other in one file.
 */

import type { Estimate } from "../../records.ts";
import { percent, percentInterval, sample } from "../format.ts";
import { type Html, html, none, trusted } from "../html.ts";
import { present, type ReportData } from "../report-data.ts";
import { headline, percentShort, type Standing, standingOf } from "../wording.ts";
import { documentOf } from "./document.ts";
import { banner, opening } from "./overview.ts";
import { partsOf } from "./page.ts";
import { section, share, table } from "./parts.ts";

export type FieldsData = {
  readonly name: string;
  readonly answer: "each" | "together";
  /** Share of rows of which every field is answered locally; absent where some field answers nothing. */
  readonly whole: Estimate | undefined;
  readonly fields: readonly { readonly name: string; readonly data: ReportData }[];
};

/** The whole document as text. */
export function renderFieldsPage(report: FieldsData): string {
  const { name, fields } = report;
  const simulated = fields.find(({ data }) => data.simulatedTeacher) ?? fields[0]!;
  return documentOf(
    `${name}: ${fieldsHeadline(report)}`,
    html`${banner(simulated.data)}
<div class="inner"><header>
  <p class="eyebrow">Flywheel report · ${name}</p>
  <h1>${fieldsHeadline(report)}</h1>
  <p class="explanation">${explained(report)}</p>
</header></div>
<nav aria-label="Fields"><ol>${["all fields", ...fields.map((field) => field.name)].map((shown, index) => html`<li><a href="#${index === 0 ? "all-fields" : shown}">${shown}</a></li>`)}</ol></nav>
<main>
${sideBySide(report)}
${fields.map(fieldPart)}
<footer>Intervals are 95 % unless said otherwise; n is the number of rows behind a figure. Made by Flywheel.</footer>
</main>`,
  );
}

/** One sentence. */
export function fieldsHeadline({ fields, whole }: Pick<FieldsData, "fields" | "whole">): string {
  const certified = fields.filter(({ data }) => standingOf(present(data.policy)) === "certified").length;
  const standing = `${certified} of ${fields.length} fields are certified`;
  return whole ? `${standing}; ${percent(whole.value, 0)} of rows need no teacher.` : `${standing}.`;
}

function explained({ answer, whole }: FieldsData): string {
  const rule =
    answer === "together"
      ? "A row is answered locally only where every field of it is."
      : "Each field is answered locally where its own student is sure enough.";
  const asked = "One call to the teacher asks all fields, so it is saved only where no field of a row needs it";
  const seen = whole
    ? `: on ${percent(whole.value)} (${percentInterval(whole)}) of held-out rows (${sample(whole.n)})`
    : "";
  return `${rule} ${asked}${seen}. What follows counts each field for itself, with its equal part of what a call and the host cost.`;
}

function sideBySide({ fields }: FieldsData): Html {
  const columns = ["Field", "Choices", "Standing", "Answered", "Accuracy", "Target"].map((name) => ({ name }));
  const rows = fields.map(({ name, data }) => ({
    cells: [html`<a href="#${name}">${name}</a>`, String(data.task.classes.length), ...figuresOf(data)],
  }));
  return section(
    {
      id: "all-fields",
      title: "All fields",
      lead: "Answered: share of traffic above the threshold. Accuracy: of the student, if it answered everything.",
    },
    table({ caption: "Fields side by side", columns, rows }),
  );
}

const standings: { readonly [S in Standing]: string } = {
  certified: "certified",
  voided: "void",
  uncertified: "not certified",
  none: "no policy",
};

function figuresOf({ policy, evaluation, task }: ReportData): readonly (Html | string)[] {
  const [section, measured] = [present(policy), present(evaluation)];
  const standing = standingOf(section);
  const { kind, risk } = task.target;
  return [
    standings[standing],
    section && standing === "certified" ? share(section.coverage) : none,
    measured ? share(measured.accuracy) : none,
    `${percentShort(risk)} ${kind}`,
  ];
}

/** As a report of its own, one level of headings down, under anchors of its own. */
function fieldPart({ name, data }: FieldsData["fields"][number]): Html {
  const { markup } = html`${opening(data)}${partsOf(data)}`;
  const below = markup.replace(/<(\/?)h1\b/g, "<$1h2");
  return html`<article id="${name}" aria-label="${name}: ${headline(data)}">${trusted(withAnchors(below, name))}</article>`;
}

/**
 * Ids, and what refers to them, with the field's name before them, so that several reports stand in one document. Text of
 * others cannot look like these attributes: its quotes are escaped.
 */
function withAnchors(markup: string, name: string): string {
  return markup
    .replace(/\b(id|for|aria-labelledby|aria-describedby)="([^"]+)"/g, (_, attribute: string, ids: string) => {
      const prefixed = ids.split(" ").map((id) => `${name}-${id}`);
      return `${attribute}="${prefixed.join(" ")}"`;
    })
    .replace(/\bhref="#([^"]+)"/g, `href="#${name}-$1"`)
    .replace(/url\((&#34;|&quot;|"|')?#([^()"'&]+)(&#34;|&quot;|"|')?\)/g, `url($1#${name}-$2$3)`);
}
