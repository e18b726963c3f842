/**
 * @file Value noise: random numbers on a lattice, smoothly interpolated. One table serves every texture of the rendered
 * photos; it repeats every 32 units, which nobody sees because every photo starts at an offset of its own.
 */

import { createRng } from "../../math/random.ts";

const side = 32;
const mask = side - 1;
const lattice = randomLattice();

function randomLattice(): Float32Array {
  const rng = createRng("fruit/noise-lattice");
  return Float32Array.from({ length: side ** 3 }, () => rng.next());
}

/** Smooth noise in [0, 1) with features one unit wide, period 32. A kernel: written out because it runs per pixel. */
export function noise(x: number, y: number, z = 0): number {
  const fx = Math.floor(x);
  const fy = Math.floor(y);
  const fz = Math.floor(z);
  const x0 = fx & mask;
  const x1 = (fx + 1) & mask;
  const y0 = (fy & mask) * side;
  const y1 = ((fy + 1) & mask) * side;
  const z0 = (fz & mask) * side * side;
  const z1 = ((fz + 1) & mask) * side * side;
  const u = fade(x - fx);
  const v = fade(y - fy);
  const w = fade(z - fz);
  const a = mix(lattice[x0 + y0 + z0]!, lattice[x1 + y0 + z0]!, u);
  const b = mix(lattice[x0 + y1 + z0]!, lattice[x1 + y1 + z0]!, u);
  if (w === 0) return mix(a, b, v);
  const c = mix(lattice[x0 + y0 + z1]!, lattice[x1 + y0 + z1]!, u);
  const d = mix(lattice[x0 + y1 + z1]!, lattice[x1 + y1 + z1]!, u);
  return mix(mix(a, b, v), mix(c, d, v), w);
}

/** Three octaves of `noise`, in [0, 1). */
export function fractal(x: number, y: number, z = 0): number {
  return (4 * noise(x, y, z) + 2 * noise(2.03 * x, 2.03 * y, 2.03 * z) + noise(4.1 * x, 4.1 * y, 4.1 * z)) / 7;
}

export const mix = (from: number, to: number, share: number): number => from + (to - from) * share;

export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** 0 below `low`, 1 above `high`, a smooth ramp between (`low` may be the larger: then it falls). */
export function smoothstep(low: number, high: number, value: number): number {
  return fade(clamp((value - low) / (high - low), 0, 1));
}

const fade = (t: number): number => t * t * (3 - 2 * t);
