/**
 * @file Inter (OFL 1.1), from `@fontsource/inter`: inside the page, so that it looks the same everywhere, and as outlines in
 * the PNGs, so that they need no font of the system's.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const weights = [400, 600] as const;
export type FontWeight = (typeof weights)[number];

/** Scripts of the font that are drawn as outlines. The page embeds Latin alone; a browser has fonts for the rest. */
const subsets = ["latin", "latin-ext", "greek", "cyrillic"] as const;

const require = createRequire(import.meta.url);

const fontFile = (subset: string, weight: FontWeight, format: "woff" | "woff2"): Buffer =>
  readFileSync(require.resolve(`@fontsource/inter/files/inter-${subset}-${weight}-normal.${format}`));

/** `@font-face` rules with the fonts as data URIs; about 65 KB. */
export function embeddedFontFaces(): string {
  return weights
    .map((weight) => {
      const data = fontFile("latin", weight, "woff2").toString("base64");
      return `@font-face { font-family: Inter; font-weight: ${weight}; font-display: swap; src: url(data:font/woff2;base64,${data}) format("woff2"); }`;
    })
    .join("\n");
}

/** The font files of a weight for outlines, most used script first. */
export const outlineFonts = (weight: FontWeight): readonly Buffer[] =>
  subsets.map((subset) => fontFile(subset, weight, "woff"));
