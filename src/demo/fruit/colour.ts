/**
 * @file Colours, in linear light (what adds up when lights do), written as the sRGB hex codes that people read.
 */

import type { Rng } from "../../math/random.ts";

/** Linear red, green and blue; 1 is a white sheet in full light. */
export type Colour = readonly [red: number, green: number, blue: number];

/** @param code `rrggbb` */
export function hex(code: string): Colour {
  const bytes = Number.parseInt(code, 16);
  return [linear(bytes >> 16), linear((bytes >> 8) & 255), linear(bytes & 255)];
}

const linear = (byte: number): number => (byte / 255) ** 2.2;

export function blend(from: Colour, to: Colour, share: number): Colour {
  return [
    from[0] + (to[0] - from[0]) * share,
    from[1] + (to[1] - from[1]) * share,
    from[2] + (to[2] - from[2]) * share,
  ];
}

export const scale = (colour: Colour, factor: number): Colour => [
  colour[0] * factor,
  colour[1] * factor,
  colour[2] * factor,
];

/** A colour somewhere between neighbours on the palette, slightly lighter or darker. */
export function draw(palette: readonly Colour[], rng: Rng): Colour {
  const position = rng.next() * (palette.length - 1);
  const index = Math.floor(position);
  const between = blend(palette[index]!, palette[Math.min(index + 1, palette.length - 1)]!, position - index);
  return scale(between, 0.82 + 0.36 * rng.next());
}

export function pick<T>(choices: readonly T[], rng: Rng): T {
  return choices[rng.integer(choices.length)]!;
}

/** Uniform in [low, high). */
export const between = (low: number, high: number, rng: Rng): number => low + (high - low) * rng.next();
