/** @file A chart as a picture for a slide or a document: light, with its title, and marked where its figures are simulated. */

import sharp from "sharp";
import type { Chart } from "./charts/draw.ts";
import { chartWidths, light, withColours } from "./charts/theme.ts";
import { escapeHtml } from "./html.ts";
import { withOutlines } from "./outlines.ts";

const MARGIN = 24;
const TITLE_HEIGHT = 40;
/** Pixels of the picture for each of the drawing. */
const SCALE = 2;
/** At which librsvg draws one pixel for one. */
const BASE_DENSITY = 72;

export async function chartPng(
  chart: Chart,
  { simulatedTeacher }: { readonly simulatedTeacher: boolean },
): Promise<Buffer> {
  const svg = withOutlines(withColours(framed(chart, simulatedTeacher), light));
  return await sharp(Buffer.from(svg), { density: BASE_DENSITY * SCALE })
    .flatten({ background: light.surface })
    .png()
    .toBuffer();
}

/** The drawing with a title above it and a margin around it. */
function framed(chart: Chart, simulatedTeacher: boolean): string {
  const drawing = chart.draw("wide");
  const height = Number(/ height="([\d.]+)"/.exec(drawing)?.[1] ?? 0);
  const notes = [...(chart.basis ? [chart.basis] : []), ...(simulatedTeacher ? ["simulated teacher"] : [])].join(" · ");
  const top = MARGIN + TITLE_HEIGHT + (notes === "" ? 0 : 14);
  const size = { width: chartWidths.wide + 2 * MARGIN, height: height + top + MARGIN };
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" font-family="Inter, sans-serif">
<text x="${MARGIN}" y="${MARGIN + 16}" font-size="18" font-weight="600" fill="${light.ink}">${escapeHtml(chart.title)}</text>
<text x="${MARGIN}" y="${MARGIN + 38}" font-size="13" fill="${simulatedTeacher ? light.teacher : light.muted}">${escapeHtml(notes)}</text>
${drawing.replace("<svg ", `<svg x="${MARGIN}" y="${top}" `)}
</svg>`;
}
