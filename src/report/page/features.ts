/** @file What a student of records looks at, and what training said of the columns. */

import { count, decimal } from "../format.ts";
import { type Html, html, none } from "../html.ts";
import type { StudentSection } from "../report-data.ts";
import { table } from "./parts.ts";

const MOST_SHOWN = 20;

export function featuresPart({ features, warnings }: StudentSection): Html {
  return html`${importances(features)}${remarks(warnings)}`;
}

function importances(features: StudentSection["features"]): Html {
  if (features.length === 0) return none;
  const some = features.length > MOST_SHOWN ? ` The first ${MOST_SHOWN} of ${count(features.length)}.` : "";
  return table({
    caption: `What it looks at: how far a feature moves a logit (mean absolute SHAP value), and what its splits gain.${some}`,
    columns: ["Feature", "Moves a logit by", "Gain"].map((name, index) => ({ name, numeric: index > 0 })),
    rows: features
      .slice(0, MOST_SHOWN)
      .map(({ name, shap, gain }) => ({ cells: [name, decimal(shap), decimal(gain, 1)] })),
    sortable: true,
  });
}

function remarks(warnings: StudentSection["warnings"]): Html {
  if (warnings.length === 0) return none;
  return html`<h3>What training remarked</h3><ul>${warnings.map((warning) => html`<li>${warning}</li>`)}</ul>`;
}
