/**
 * @file Directions, turns and the camera: the little geometry that placing bodies and looking at them takes.
 */

import type { Body } from "./body.ts";
import type { Vector } from "./mesh.ts";

/** Row-major 3 × 3. */
export type Turn = readonly [number, number, number, number, number, number, number, number, number];

/** A body in the world: turned, enlarged, then moved. */
export type Placed = {
  readonly body: Body;
  readonly turn: Turn;
  readonly size: number;
  readonly at: Vector;
};

/** Pinhole. `right`, `up` and `forward` are unit vectors; `zoom` maps the tangent of an angle to half the picture. */
export type Camera = {
  readonly at: Vector;
  readonly right: Vector;
  readonly up: Vector;
  readonly forward: Vector;
  readonly zoom: number;
};

export const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

export const add = (a: Vector, b: Vector, factor = 1): Vector => [
  a[0] + b[0] * factor,
  a[1] + b[1] * factor,
  a[2] + b[2] * factor,
];

export const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

export function unit(vector: Vector): Vector {
  const length = Math.sqrt(dot(vector, vector));
  return [vector[0] / length, vector[1] / length, vector[2] / length];
}

export const turnVector = (turn: Turn, [x, y, z]: Vector): Vector => [
  turn[0] * x + turn[1] * y + turn[2] * z,
  turn[3] * x + turn[4] * y + turn[5] * z,
  turn[6] * x + turn[7] * y + turn[8] * z,
];

/** Spins about the body's own axis, tips it over by `tilt`, then heads the tip towards `heading`. Radians. */
export function turnBy(spin: number, tilt: number, heading: number): Turn {
  return compose(compose(about(heading), tip(tilt)), about(spin - heading));
}

const about = (angle: number): Turn => {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [c, 0, s, 0, 1, 0, -s, 0, c];
};

const tip = (angle: number): Turn => {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [1, 0, 0, 0, c, -s, 0, s, c];
};

function compose(a: Turn, b: Turn): Turn {
  const at = (row: number, column: number) =>
    a[row * 3]! * b[column]! + a[row * 3 + 1]! * b[3 + column]! + a[row * 3 + 2]! * b[6 + column]!;
  return [at(0, 0), at(0, 1), at(0, 2), at(1, 0), at(1, 1), at(1, 2), at(2, 0), at(2, 1), at(2, 2)];
}

/** A camera `distance` away from `target`, looking down on it by `elevation`, held askew by `roll`. Radians. */
export function lookAt(options: {
  readonly target: Vector;
  readonly distance: number;
  readonly elevation: number;
  readonly roll: number;
  readonly zoom: number;
}): Camera {
  const { target, distance, elevation, roll, zoom } = options;
  const back: Vector = [0, Math.sin(elevation), Math.cos(elevation)];
  const forward: Vector = [0, -back[1], -back[2]];
  const level: Vector = [1, 0, 0];
  const upright = cross(level, forward);
  const [c, s] = [Math.cos(roll), Math.sin(roll)];
  return {
    at: add(target, back, distance),
    right: add([c * level[0], 0, 0], upright, s),
    up: add([-s * level[0], 0, 0], upright, c),
    forward,
    zoom,
  };
}

/** How far the lowest point of the turned body lies below its origin, in the body's units. */
export function restingHeight(body: Body, turn: Turn): number {
  let lowest = 0;
  for (const { mesh } of body.parts) {
    if (mesh.twoSided) continue;
    for (let at = 0; at < mesh.positions.length; at += 3) {
      const height =
        turn[3] * mesh.positions[at]! + turn[4] * mesh.positions[at + 1]! + turn[5] * mesh.positions[at + 2]!;
      if (height < lowest) lowest = height;
    }
  }
  return -lowest;
}
