/** @file The pieces that every section of the page is made of. */

import type { Estimate } from "../../records.ts";
import type { Chart } from "../charts/draw.ts";
import { count, decimal, decimalInterval, percent, percentInterval, sample } from "../format.ts";
import { type Child, type Html, html, none, trusted } from "../html.ts";
import type { Missing, Truth } from "../report-data.ts";
import { truthNames } from "../wording.ts";

export type SectionOptions = { readonly id: string; readonly title: string; readonly lead?: Child };

export function section({ id, title, lead }: SectionOptions, ...body: readonly Child[]): Html {
  return html`
<section id="${id}" aria-labelledby="${id}-title">
  <h2 id="${id}-title">${title}</h2>
  ${lead === undefined ? none : html`<p class="lead">${lead}</p>`}
  ${body}
</section>`;
}

/** What is missing, why, and what to run. */
export function missing({ missing: why, next }: Missing): Html {
  return html`<p class="missing">${why} <span class="next">Next: <code>${next}</code></span></p>`;
}

/** 92.7 % 89.6–95.1 %, n = 383 */
export function share({ value, low, high, n }: Estimate, digits = 1): Html {
  return html`<span class="estimate"><b>${percent(value, digits)}</b> <span class="interval">${percentInterval({ low, high }, digits)}, ${sample(n)}</span></span>`;
}

/** 0.061 0.043–0.085, n = 383 */
export function figureOf({ value, low, high, n }: Estimate, digits = 3): Html {
  return html`<span class="estimate"><b>${decimal(value, digits)}</b> <span class="interval">${decimalInterval({ low, high }, digits)}, ${sample(n)}</span></span>`;
}

/** Whose word the figures beside it are counted against. */
export const against = (truth: Truth): Html => html`<span class="tag">against ${truthNames[truth]}</span>`;

export type Column = { readonly name: Child; readonly numeric?: boolean };

const columnClass = (column: Column | undefined): string => (column?.numeric ? "number" : "words");

export type TableOptions = {
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly TableRow[];
  /** Readers may sort it by any column. */
  readonly sortable?: boolean;
};

export type TableRow = { readonly cells: readonly Child[]; readonly marked?: boolean };

export function table({ caption, columns, rows, sortable = false }: TableOptions): Html {
  const head = columns.map((column) => html`<th scope="col" class="${columnClass(column)}">${column.name}</th>`);
  const body = rows.map(
    ({ cells, marked }) =>
      html`<tr class="${marked ? "marked" : ""}">${cells.map((cell, index) => cellOf(cell, index, columns))}</tr>`,
  );
  return html`
<div class="scroll" tabindex="0" role="group" aria-label="${caption}">
<table class="${sortable ? "sortable" : ""}"><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>
</div>`;
}

function cellOf(cell: Child, index: number, columns: readonly Column[]): Html {
  if (index === 0) return html`<th scope="row">${cell}</th>`;
  return html`<td class="${columnClass(columns[index])}">${cell}</td>`;
}

export type FigureOptions = {
  readonly caption?: Child;
  /** The same as numbers. */
  readonly numbers?: Html;
  /** Shares its line with another figure where there is room. */
  readonly half?: boolean;
};

export function figure(chart: Chart, { caption, numbers, half = false }: FigureOptions = {}): Html {
  const drawings = half ? [chart.draw("narrow")] : [chart.draw("wide"), chart.draw("narrow")];
  return html`
<figure class="${half ? "half" : "full"}" id="figure-${chart.name}">
  <figcaption><h3>${chart.title}</h3>${caption === undefined ? none : html`<p>${caption}</p>`}</figcaption>
  ${drawings.map(trusted)}
  ${numbers ? html`<details><summary>The numbers</summary>${numbers}</details>` : none}
</figure>`;
}

export type Entry = { readonly name: Child; readonly value: Child };

/** Names and values, one beneath the other. */
export function entries(list: readonly Entry[]): Html {
  if (list.length === 0) return none;
  return html`<dl class="entries">${list.map(({ name, value }) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** `tone`: a colour of the style sheet's, 0 to 4. */
export type Part = { readonly name: string; readonly count: number; readonly tone: number };

/** A bar of parts of a whole, with its legend. */
export function partsBar(label: string, parts: readonly Part[]): Html {
  const total = parts.reduce((sum, part) => sum + part.count, 0);
  const shown = parts.filter((part) => part.count > 0);
  const width = (part: { readonly count: number }) => ((100 * part.count) / total).toFixed(2);
  return html`
<div class="parts"><p>${label}</p>
  <div class="bar" aria-hidden="true">${shown.map((part) => html`<span class="part-${part.tone}" style="width:${width(part)}%"></span>`)}</div>
  <ul>${shown.map((part) => html`<li><span class="key part-${part.tone}"></span>${part.name} <b>${count(part.count)}</b> <span class="interval">${percent(part.count / total)}</span></li>`)}</ul>
</div>`;
}
