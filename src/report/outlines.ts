/**
 * @file Text as outlines, so that a picture looks the same on every machine: a container seldom has any font. Text in a
 * script that our font lacks is left as text, for the system to draw.
 */

import { parseHTML } from "linkedom";
import opentype, { type Font, type Glyph, type PathCommand } from "opentype.js";
import { type FontWeight, outlineFonts } from "./fonts.ts";

/** What we use of the parsed drawing; TypeScript knows of no browser here. */
type SvgElement = {
  readonly textContent: string;
  readonly parentNode: SvgElement | null;
  readonly ownerDocument: { createElementNS(namespace: string, tag: string): SvgElement };
  getAttribute?(name: string): string | null;
  setAttribute(name: string, value: string): void;
  replaceWith(other: SvgElement): void;
};

/** The drawing with every text that our font can write turned into a path. */
export function withOutlines(svg: string): string {
  const { document } = parseHTML(`<!doctype html><html><body>${svg}</body></html>`);
  for (const text of document.querySelectorAll("text") as unknown as Iterable<SvgElement>) outline(text);
  return document.querySelector("svg")?.outerHTML ?? svg;
}

function outline(text: SvgElement): void {
  const sizePx = fontSizeOf(text);
  const glyphs = glyphsOf(text.textContent, inherited(text, "font-weight") === "600" ? 600 : 400);
  if (!glyphs) return;
  const x = lengthOf(text.getAttribute?.("x"), sizePx) - anchorShare(text) * widthOf(glyphs, sizePx);
  const y = lengthOf(text.getAttribute?.("y"), sizePx) + lengthOf(text.getAttribute?.("dy"), sizePx);
  const path = text.ownerDocument.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", pathData(glyphs, { x, y, sizePx }));
  for (const name of ["transform", "fill", "stroke", "stroke-width", "opacity"]) {
    const value = text.getAttribute?.(name);
    if (value) path.setAttribute(name, value);
  }
  text.replaceWith(path);
}

// ── layout ──────────────────────────────────────────────────────────────────────────────────────────────────────────

type PlacedGlyph = {
  readonly glyph: Glyph;
  /** In ems. */
  readonly advance: number;
};

/** Narrow unbreakable space, which the font lacks. */
const NARROW_SPACE = "\u202f";
const NARROW_SPACE_EM = 0.16;

/** Undefined where a character is in none of the fonts. */
function glyphsOf(text: string, weight: FontWeight): readonly PlacedGlyph[] | undefined {
  const fonts = fontsOf(weight);
  const glyphs: PlacedGlyph[] = [];
  for (const character of text) {
    const isNarrow = character === NARROW_SPACE;
    const font = fonts.find((candidate) => candidate.charToGlyphIndex(isNarrow ? " " : character) > 0);
    if (!font) return undefined;
    const glyph = font.charToGlyph(isNarrow ? " " : character);
    glyphs.push({ glyph, advance: isNarrow ? NARROW_SPACE_EM : (glyph.advanceWidth ?? 0) / font.unitsPerEm });
  }
  return glyphs;
}

const widthOf = (glyphs: readonly PlacedGlyph[], sizePx: number): number =>
  glyphs.reduce((sum, { advance }) => sum + advance, 0) * sizePx;

type Place = { readonly x: number; readonly y: number; readonly sizePx: number };

function pathData(glyphs: readonly PlacedGlyph[], { x, y, sizePx }: Place): string {
  let left = x;
  return glyphs
    .map(({ glyph, advance }) => {
      const data = glyph.getPath(left, y, sizePx).commands.map(commandText).join("");
      left += advance * sizePx;
      return data;
    })
    .join("");
}

// The library's own writer leaves out commands that it takes for redundant, and is sometimes wrong.
function commandText(command: PathCommand): string {
  switch (command.type) {
    case "M":
    case "L":
      return command.type + numbers(command.x, command.y);
    case "Q":
      return `Q${numbers(command.x1, command.y1, command.x, command.y)}`;
    case "C":
      return `C${numbers(command.x1, command.y1, command.x2, command.y2, command.x, command.y)}`;
    case "Z":
      return "Z";
    default:
      return command satisfies never;
  }
}

const numbers = (...values: readonly number[]): string =>
  values.map((value) => Math.round(100 * value) / 100).join(" ");

const parsed = new Map<FontWeight, readonly Font[]>();

/** Parsed once in the life of the process: fonts do not change. */
function fontsOf(weight: FontWeight): readonly Font[] {
  const known = parsed.get(weight) ?? outlineFonts(weight).map((file) => opentype.parse(toArrayBuffer(file)));
  parsed.set(weight, known);
  return known;
}

const toArrayBuffer = (file: Buffer): ArrayBuffer => new Uint8Array(file).buffer;

// ── what a text inherits ────────────────────────────────────────────────────────────────────────────────────────────

function inherited(element: SvgElement, name: string): string | undefined {
  const own = element.getAttribute?.(name);
  if (own) return own;
  return element.parentNode ? inherited(element.parentNode, name) : undefined;
}

/** Plot writes its type size into the style of the drawing; the attribute beside it is overruled. */
function fontSizeOf(text: SvgElement): number {
  const style = /font-size:\s*([\d.]+)px/.exec(inherited(text, "style") ?? "")?.[1];
  return Number(style ?? inherited(text, "font-size") ?? 10);
}

function anchorShare(text: SvgElement): number {
  const anchor = inherited(text, "text-anchor");
  return anchor === "end" ? 1 : anchor === "middle" ? 0.5 : 0;
}

/** `12`, `0.32em` */
function lengthOf(value: string | null | undefined, sizePx: number): number {
  if (!value) return 0;
  return value.endsWith("em") ? Number.parseFloat(value) * sizePx : Number.parseFloat(value);
}
