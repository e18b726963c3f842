/**
 * @file What a surface is made of: its colour, gloss and roughness at a point of the body it belongs to.
 */

import type { Colour } from "./colour.ts";

/** A surface at one point. One object is reused for every pixel: allocating one each would double the rendering time. */
export type Surface = {
  red: number;
  green: number;
  blue: number;
  /** Strength of the highlight, in [0, 1]. */
  gloss: number;
  /** Sharpness of the highlight: 8 is dull, 200 wet. */
  sharpness: number;
  /** Depth and frequency of the pits in the skin; 0 is smooth. */
  bump: number;
  bumpFrequency: number;
};

/** Paints the surface at a point of the body, in the body's own frame. */
export type Material = (x: number, y: number, z: number, surface: Surface) => void;

export const blankSurface = (): Surface => ({
  red: 0,
  green: 0,
  blue: 0,
  gloss: 0,
  sharpness: 20,
  bump: 0,
  bumpFrequency: 1,
});

export function paint(surface: Surface, colour: Colour): void {
  surface.red = colour[0];
  surface.green = colour[1];
  surface.blue = colour[2];
}

/** Moves the surface's colour towards `colour` by `share`. */
export function tint(surface: Surface, colour: Colour, share: number): void {
  surface.red += (colour[0] - surface.red) * share;
  surface.green += (colour[1] - surface.green) * share;
  surface.blue += (colour[2] - surface.blue) * share;
}

export function shade(surface: Surface, factor: number): void {
  surface.red *= factor;
  surface.green *= factor;
  surface.blue *= factor;
}

export function finish(surface: Surface, gloss: number, sharpness: number, bump = 0, bumpFrequency = 1): void {
  surface.gloss = gloss;
  surface.sharpness = sharpness;
  surface.bump = bump;
  surface.bumpFrequency = bumpFrequency;
}
