/**
 * @file The camera's share of a photo: focus, exposure, white balance, vignette, contrast, sensor noise.
 */

import { createRng, type Rng } from "../../math/random.ts";
import { between } from "./colour.ts";
import { clamp } from "./noise.ts";
import type { Exposure } from "./shade.ts";

export type Lens = {
  /** Depth in focus, and how fast sharpness is lost away from it (per unit of depth). */
  readonly focus: number;
  readonly falloff: number;
  /** Blur where nothing is in focus, as a share of the picture's side. */
  readonly blur: number;
  /** Blur of everything, in [0, 1]: a shaken hand, a missed focus. */
  readonly shake: number;
  /** Factors of red, green and blue: exposure and white balance in one. */
  readonly gain: readonly [number, number, number];
  readonly vignette: number;
  readonly saturation: number;
  /** Standard deviation of the noise, in steps of 255. */
  readonly grain: number;
};

export function drawLens(focus: number, rng: Rng): Lens {
  const exposure = 2 ** between(-0.5, 0.4, rng);
  const warmth = between(-0.1, 0.12, rng);
  const green = between(-0.05, 0.05, rng);
  return {
    focus,
    falloff: between(0.01, 0.12, rng),
    blur: between(0.01, 0.05, rng),
    shake: rng.next() < 0.15 ? between(0.2, 0.6, rng) : 0,
    gain: [exposure * (1 + warmth), exposure * (1 + green), exposure * (1 - warmth)],
    vignette: between(0, 0.35, rng),
    saturation: between(0.75, 1.15, rng),
    grain: rng.next() < 0.2 ? between(4, 9, rng) : between(0.5, 3, rng),
  };
}

/** Develops an exposure to 8-bit sRGB: `[side, side, 3]`. */
export function develop(exposure: Exposure, lens: Lens, rng: Rng): Uint8Array {
  const light = defocus(exposure, lens);
  const { side } = exposure;
  const rgb = new Uint8Array(side * side * 3);
  for (let pixel = 0; pixel < side * side; pixel++) developPixel(light, rgb, { pixel, side, lens, rng });
  return rgb;
}

function developPixel(
  light: Float32Array,
  rgb: Uint8Array,
  { pixel, side, lens, rng }: { readonly pixel: number; readonly side: number; readonly lens: Lens; readonly rng: Rng },
): void {
  const x = (2 * (pixel % side)) / side - 1;
  const y = (2 * Math.floor(pixel / side)) / side - 1;
  const fade = 1 - lens.vignette * 0.5 * (x * x + y * y);
  const red = light[3 * pixel]! * lens.gain[0] * fade;
  const green = light[3 * pixel + 1]! * lens.gain[1] * fade;
  const blue = light[3 * pixel + 2]! * lens.gain[2] * fade;
  const grey = 0.25 * red + 0.65 * green + 0.1 * blue;
  // One draw for the three channels: places in the table that are far apart are as good as independent.
  const noise = rng.integer(normals.length);
  rgb[3 * pixel] = sensed(grey + (red - grey) * lens.saturation, lens.grain * normalAt(noise));
  rgb[3 * pixel + 1] = sensed(grey + (green - grey) * lens.saturation, lens.grain * normalAt(noise + 1367));
  rgb[3 * pixel + 2] = sensed(grey + (blue - grey) * lens.saturation, lens.grain * normalAt(noise + 2731));
}

function sensed(light: number, noise: number): number {
  const tone = tones[clamp(Math.floor(light * tonesPerUnit), 0, tones.length - 1)]!;
  return clamp(Math.round(tone + noise), 0, 255);
}

const normalAt = (place: number): number => normals[place % normals.length]!;

const tonesPerUnit = 2048;
/** Film-like: linear light to sRGB steps with a soft shoulder (x(1 + x/w²)/(1 + x), Reinhard 2002, w = 2.4, rescaled). */
const tones = Float32Array.from({ length: 3 * tonesPerUnit }, (_, index) => {
  const x = (1.55 * index) / tonesPerUnit;
  return 255 * clamp((x * (1 + x / 5.8)) / (1 + 0.75 * x), 0, 1) ** (1 / 2.2);
});
const normals = normalTable();

function normalTable(): Float32Array {
  const rng = createRng("fruit/sensor-noise");
  return Float32Array.from({ length: 4096 }, () => rng.normal());
}

/** Mixes each pixel with a blurred copy of the picture by how far it is out of focus. */
function defocus({ side, light, depth }: Exposure, { focus, falloff, blur, shake }: Lens): Float32Array {
  const radius = Math.max(1, Math.round(blur * side));
  const blurred = boxBlur(boxBlur(light, side, radius), side, radius);
  for (let index = 0; index < blurred.length; index++) {
    const share = clamp(shake + falloff * Math.abs(depth[(index / 3) | 0]! - focus), 0, 1);
    blurred[index] = light[index]! + (blurred[index]! - light[index]!) * share;
  }
  return blurred;
}

/** Mean over (2 · radius + 1)² pixels, edges repeated; two running sums. */
function boxBlur(source: Float32Array, side: number, radius: number): Float32Array {
  const across = blurLines(source, side, radius, { line: side * 3, step: 3 });
  return blurLines(across, side, radius, { line: 3, step: side * 3 });
}

/** A kernel: the running sum takes one step of the window at a time, so the radius costs nothing. */
function blurLines(
  source: Float32Array,
  side: number,
  radius: number,
  { line, step }: { readonly line: number; readonly step: number },
): Float32Array {
  const target = new Float32Array(source.length);
  const width = 2 * radius + 1;
  for (let index = 0; index < side; index++) {
    for (let channel = 0; channel < 3; channel++) {
      const first = index * line + channel;
      const last = first + step * (side - 1);
      let sum = source[first]! * (radius + 1);
      for (let ahead = 1; ahead <= radius; ahead++) sum += source[Math.min(last, first + step * ahead)]!;
      for (let position = first; position <= last; position += step) {
        target[position] = sum / width;
        const enters = source[Math.min(last, position + step * (radius + 1))]!;
        sum += enters - source[Math.max(first, position - step * radius)]!;
      }
    }
  }
  return target;
}
