/**
 * @file From marks to an SVG string: the frame that every chart shares. Plot draws into a document of linkedom's, so that
 * nothing here needs a browser; the same marks will draw in one.
 */

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type ChartSize, chartWidths, colours, FONT_FAMILY, FONT_SIZE } from "./theme.ts";

/** What a chart is called: its name (file name and id), its title, and what it shows for those who cannot see it. */
export type ChartText = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Whose word its figures are counted against, on how many rows. */
  readonly basis?: string;
};

/** A chart of a report: drawn in the size asked for. */
export type Chart = ChartText & { readonly draw: (size: ChartSize) => string };

export type Marks = (size: ChartSize, width: number) => Plot.PlotOptions;

/** A chart from its text and its marks. Width, type, colours and description are the house's. */
export function chart(text: ChartText, marks: Marks): Chart {
  return { ...text, draw: (size) => drawSvg(text, size, marks(size, chartWidths[size])) };
}

// Only makes elements, which are never put into it: one serves every drawing.
const { document } = parseHTML("<!doctype html><html><body></body></html>");

function drawSvg(text: ChartText, size: ChartSize, options: Plot.PlotOptions): string {
  const style = { fontFamily: FONT_FAMILY, fontSize: `${FONT_SIZE}px`, color: colours.ink, background: "none" };
  const svg: SvgElement = Plot.plot({ ...options, width: chartWidths[size], document, style });
  describe(svg, text, size);
  roundNumbers(svg);
  return svg.outerHTML;
}

/** What we use of the document that Plot draws into; TypeScript knows of no browser here. */
type SvgElement = {
  readonly tagName: string;
  readonly outerHTML: string;
  textContent: string;
  readonly ownerDocument: { createElementNS(namespace: string, tag: string): SvgElement };
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  querySelector(selector: string): SvgElement | null;
  querySelectorAll(selector: string): Iterable<SvgElement>;
  prepend(...children: readonly SvgElement[]): void;
  remove(): void;
};

/** Names the picture for a screen reader, and drops Plot's own style sheet: the page has one. */
function describe(svg: SvgElement, { name, title, description }: ChartText, size: ChartSize): void {
  const id = `${name}-${size}`;
  svg.querySelector("style")?.remove();
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("class", `chart ${size}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-labelledby", `${id}-title ${id}-description`);
  svg.prepend(labelled(svg, "title", `${id}-title`, title), labelled(svg, "desc", `${id}-description`, description));
}

function labelled(svg: SvgElement, tag: "title" | "desc", id: string, text: string): SvgElement {
  const element = svg.ownerDocument.createElementNS("http://www.w3.org/2000/svg", tag);
  element.setAttribute("id", id);
  element.textContent = text;
  return element;
}

const geometry = [
  "x",
  "y",
  "x1",
  "x2",
  "y1",
  "y2",
  "cx",
  "cy",
  "r",
  "rx",
  "width",
  "height",
  "d",
  "points",
  "transform",
];

/** Hundredths of a pixel are enough: it halves the page and makes drawings comparable. */
function roundNumbers(svg: SvgElement): void {
  for (const element of svg.querySelectorAll("*")) {
    for (const name of geometry) {
      const value = element.getAttribute(name);
      if (value?.includes(".")) element.setAttribute(name, value.replace(/-?\d+(?:\.\d+)?(?:e-?\d+)?/g, rounded));
    }
  }
}

const rounded = (number: string): string =>
  /\.\d{3}/.test(number) ? String(Math.round(100 * Number(number)) / 100) : number;
