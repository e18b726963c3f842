/**
 * @file Leaves: on stems, in the foliage, and in front of the lens.
 */

import type { Rng } from "../../math/random.ts";
import type { Part } from "./body.ts";
import { between, draw, hex } from "./colour.ts";
import { finish, type Material, paint, shade } from "./material.ts";
import { sheetMesh, type Vector } from "./mesh.ts";
import { noise } from "./noise.ts";

const greens = ["3f6b22", "5d8a32", "2f5220", "76993f"].map(hex);

/** A leaf that starts at `at` and hangs outwards in a direction of its own. Length in units. */
export function leaf(options: { readonly at: Vector; readonly length: number; readonly rng: Rng }): Part {
  const { at, length, rng } = options;
  const heading = between(0, 2 * Math.PI, rng);
  const [droop, width, fold] = [between(0.1, 0.9, rng), between(0.28, 0.45, rng), between(0.05, 0.25, rng)];
  const [outX, outZ] = [Math.cos(heading), Math.sin(heading)];
  const point = (along: number, around: number): Vector => {
    const across = (2 * around - 1) * width * length * Math.sin(Math.PI * along ** 0.8);
    const out = along * length;
    const height = 0.35 * out - droop * out * along + fold * Math.abs(2 * around - 1) * length * along * (1 - along);
    return [at[0] + outX * out - outZ * across, at[1] + height, at[2] + outZ * out + outX * across];
  };
  return { mesh: sheetMesh({ rows: 8, columns: 6, point }), material: leafSkin(rng) };
}

function leafSkin(rng: Rng): Material {
  const colour = draw(greens, rng);
  const offset = between(0, 32, rng);
  return (x, y, z, surface) => {
    paint(surface, colour);
    shade(surface, 0.7 + 0.6 * noise(6 * x + offset, 6 * y, 6 * z));
    finish(surface, 0.22, 18);
  };
}
