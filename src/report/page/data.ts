/** @file Rows: where they came from, how they are split, what was turned away. */

import { count } from "../format.ts";
import { type Html, html, none } from "../html.ts";
import type { DataSection, ReportData } from "../report-data.ts";
import { entries, partsBar, section, table } from "./parts.ts";

export function dataPart({ data }: ReportData): Html {
  return section(
    {
      id: "data",
      title: "Data",
      lead: "Every row is known by the hash of its content: a duplicate is one row, and never on both sides of a split.",
    },
    entries([
      { name: "Rows", value: html`<b>${count(data.rows)}</b>` },
      { name: "Ingested", value: count(data.ingested) },
      { name: "From traffic", value: count(data.traffic) },
      { name: "In the uniform sample", value: count(data.uniform) },
      { name: "With a gold label (measures only)", value: count(data.gold) },
      { name: "Turned away", value: count(data.rejected.count) },
    ]),
    data.rows > 0
      ? partsBar("Splits: rows that train, rows that calibrate confidence, rows that certify the threshold", [
          { name: "train", count: data.splits.train, tone: 0 },
          { name: "calibrate", count: data.splits.calibrate, tone: 1 },
          { name: "certify", count: data.splits.certify, tone: 2 },
        ])
      : none,
    rejected(data),
  );
}

function rejected({ rejected: { count: total, byCode, examples } }: DataSection): Html {
  if (total === 0) return none;
  const kinds = byCode.map(({ name, count: n }) => `${name} ${count(n)}`).join(", ");
  const first = examples.length < total ? `, the first ${count(examples.length)}` : "";
  return table({
    caption: `Inputs turned away: ${kinds}${first}`,
    columns: [{ name: "Source" }, { name: "Code" }, { name: "Why" }],
    rows: examples.map(({ source, code, message }) => ({ cells: [source, html`<code>${code}</code>`, message] })),
  });
}
