/**
 * @file A body: meshes with materials, and the spheres that stand for it where only its shadow matters.
 */

import type { Material } from "./material.ts";
import { type Mesh, tubeMesh, type Vector } from "./mesh.ts";

export type Part = { readonly mesh: Mesh; readonly material: Material };

/** x, y, z, radius. */
export type Sphere = readonly [x: number, y: number, z: number, radius: number];

/** Upright along y, about one unit in radius. */
export type Body = { readonly parts: readonly Part[]; readonly spheres: readonly Sphere[] };

/** A stem, twig or spoon: a tube along a bent line, from `from` to `to`, thick at the ends as given. */
export function stick(options: {
  readonly from: Vector;
  readonly to: Vector;
  readonly bend: Vector;
  readonly thickness: readonly [number, number];
  readonly material: Material;
}): Part {
  const { from, to, bend, thickness, material } = options;
  const point = (along: number, around: number): Vector => {
    const sag = 4 * along * (1 - along);
    const radius = capped(along) * (thickness[0] + (thickness[1] - thickness[0]) * along);
    const [cosine, sine] = [Math.cos(2 * Math.PI * around), Math.sin(2 * Math.PI * around)];
    const axis = (index: 0 | 1 | 2) => from[index] + (to[index] - from[index]) * along + bend[index] * sag;
    return [axis(0) + radius * cosine, axis(1), axis(2) + radius * sine];
  };
  return { mesh: tubeMesh({ rows: 7, columns: 8, point }), material };
}

/** Closes the tube at both ends. */
const capped = (along: number): number => (along === 0 || along === 1 ? 0 : 1);

/** A body of revolution: `profile` gives radius and height at `along` in [0, 1], bottom to top. */
export function turned(
  profile: (along: number, angle: number) => readonly [radius: number, height: number],
  detail: { readonly rows: number; readonly columns: number } = { rows: 22, columns: 30 },
): Mesh {
  const point = (along: number, around: number): Vector => {
    const angle = 2 * Math.PI * around;
    const [radius, height] = profile(along, angle);
    return [radius * Math.cos(angle), height, radius * Math.sin(angle)];
  };
  return tubeMesh({ ...detail, point });
}
