/**
 * @file Light: what the camera sees at every pixel, in linear light. One key light with soft shadows, a sky above, the
 * ground's own colour thrown back from below, highlights, and darkness where bodies meet (shadows and occlusion from the
 * spheres that stand for the bodies: closed forms after I. Quilez, "sphere soft shadow" and "sphere ambient occlusion").
 */

import type { Colour } from "./colour.ts";
import { blankSurface, type Material, type Surface } from "./material.ts";
import type { Vector } from "./mesh.ts";
import { noise, smoothstep } from "./noise.ts";
import { type Projected, rasterise, type Visibility } from "./raster.ts";
import { add, type Camera, type Placed, turnVector } from "./space.ts";

export type Light = {
  /** Unit vector towards the key light. */
  readonly towards: Vector;
  readonly key: Colour;
  readonly sky: Colour;
  /** Light thrown back by the ground. */
  readonly bounce: Colour;
  /** Growth of the penumbra with distance: 0.05 is sun, 0.6 an overcast window. */
  readonly softness: number;
};

export type Scene = {
  readonly placed: readonly Placed[];
  readonly camera: Camera;
  readonly light: Light;
  /** The plane y = 0; absent where the fruit hangs in the open. */
  readonly ground: Material | undefined;
  readonly backdrop: Material;
};

/** A picture in linear light, with the depth of each pixel for the lens. */
export type Exposure = {
  readonly side: number;
  /** `[side, side, 3]`. */
  readonly light: Float32Array;
  /** `[side, side]`, units of the world. */
  readonly depth: Float32Array;
};

type Blocker = {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly radius: number;
  readonly owner: number;
};

/** The point being lit. Reused for every pixel. */
type Point = { x: number; y: number; z: number; nx: number; ny: number; nz: number; owner: number };

const farAway = 60;
const nobody = -1;

/** Samples along a pixel's side. Where all show the same body one of them is lit; at an edge each is, and they are mixed. */
const samples = 2;

/** @param side of the picture, pixels */
export function expose(scene: Scene, side: number): Exposure {
  const [seen, parts] = rasterise(scene.placed, scene.camera, side * samples);
  const exposure = { side, light: new Float32Array(side * side * 3), depth: new Float32Array(side * side) };
  const blockers = scene.placed.flatMap(blockersOf);
  const [surface, point] = [blankSurface(), { x: 0, y: 0, z: 0, nx: 0, ny: 1, nz: 0, owner: nobody }];
  const ray = new Float64Array(3);
  const sampling: Sampling = { scene, seen, parts, blockers, ray, surface, point };
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) exposePixel(sampling, exposure, row, column);
  }
  return exposure;
}

function exposePixel(sampling: Sampling, { side, light, depth }: Exposure, row: number, column: number): void {
  const wide = side * samples;
  const first = row * samples * wide + column * samples;
  const { part } = sampling.seen;
  const shown = part[first]!;
  const isEdge = part[first + 1] !== shown || part[first + wide] !== shown || part[first + wide + 1] !== shown;
  const pixel = row * side + column;
  depth[pixel] = farAway;
  const count = isEdge ? samples * samples : 1;
  for (let index = 0; index < count; index++) {
    const sample = first + (index & 1) + (index >> 1) * wide;
    depth[pixel] = Math.min(depth[pixel]!, take(sampling, sample));
    light[3 * pixel]! += sampling.surface.red / count;
    light[3 * pixel + 1]! += sampling.surface.green / count;
    light[3 * pixel + 2]! += sampling.surface.blue / count;
  }
}

/** Leaves the light of this sample in `surface`; returns its depth. */
function take(sampling: Sampling, sample: number): number {
  aim(sampling.ray, sampling.scene.camera, sample, sampling.seen.side);
  const depth = meet(sampling, sample);
  if (depth < farAway) illuminate(sampling);
  return depth;
}

function blockersOf({ body, turn, size, at }: Placed, owner: number): Blocker[] {
  return body.spheres.map(([x, y, z, radius]) => {
    const [bx, by, bz] = add(at, turnVector(turn, [x, y, z]), size);
    return { x: bx, y: by, z: bz, radius: radius * size, owner };
  });
}

/** Not of unit length: its component along `forward` is 1, so that it reaches depth d after d of itself. */
function aim(ray: Float64Array, { right, up, forward, zoom }: Camera, sample: number, side: number): void {
  const x = ((2 * ((sample % side) + 0.5)) / side - 1) / zoom;
  const y = (1 - (2 * (Math.floor(sample / side) + 0.5)) / side) / zoom;
  ray[0] = forward[0] + x * right[0] + y * up[0];
  ray[1] = forward[1] + x * right[1] + y * up[1];
  ray[2] = forward[2] + x * right[2] + y * up[2];
}

/** All that lighting one sample takes. Ray, surface and point are reused: allocating them anew took a third of the time. */
type Sampling = {
  readonly scene: Scene;
  readonly seen: Visibility;
  readonly parts: readonly Projected[];
  readonly blockers: readonly Blocker[];
  readonly ray: Float64Array;
  readonly surface: Surface;
  readonly point: Point;
};

/** Fills in what the ray meets first (body, ground or backdrop); returns its depth. */
function meet(sampling: Sampling, pixel: number): number {
  const { scene, seen, ray, surface } = sampling;
  const nearness = seen.nearness[pixel]!;
  const groundDepth = scene.ground && ray[1]! < 0 ? -scene.camera.at[1] / ray[1]! : farAway;
  if (nearness > 0 && 1 / nearness < groundDepth) return meetBody(sampling, pixel, 1 / nearness);
  if (scene.ground && groundDepth < farAway) return meetGround(sampling, scene.ground, groundDepth);
  const [row, column] = [Math.floor(pixel / seen.side), pixel % seen.side];
  scene.backdrop((2 * column) / seen.side - 1, 1 - (2 * row) / seen.side, 0, surface);
  return farAway;
}

function meetGround({ scene, ray, surface, point }: Sampling, ground: Material, depth: number): number {
  const { at } = scene.camera;
  point.x = at[0] + depth * ray[0]!;
  point.y = 0;
  point.z = at[2] + depth * ray[2]!;
  point.nx = 0;
  point.ny = 1;
  point.nz = 0;
  point.owner = nobody;
  ground(point.x, 0, point.z, surface);
  surface.bump = 0;
  return depth;
}

function meetBody({ scene, seen, parts, ray, surface, point }: Sampling, pixel: number, depth: number): number {
  const part = parts[seen.part[pixel]!]!;
  const { at } = scene.camera;
  point.x = at[0] + depth * ray[0]!;
  point.y = at[1] + depth * ray[1]!;
  point.z = at[2] + depth * ray[2]!;
  point.owner = part.owner;
  const local = interpolate(part.mesh.positions, part, seen, pixel);
  part.material(local[0], local[1], local[2], surface);
  const normal = interpolate(part.mesh.normals, part, seen, pixel);
  orient(point, turnVector(part.placed.turn, roughen(normal, local, surface)), ray);
  return depth;
}

function interpolate(values: Float32Array, part: Projected, seen: Visibility, pixel: number): Vector {
  const first = seen.triangle[pixel]!;
  const a = 3 * part.mesh.triangles[first]!;
  const b = 3 * part.mesh.triangles[first + 1]!;
  const c = 3 * part.mesh.triangles[first + 2]!;
  const v = seen.second[pixel]!;
  const w = seen.third[pixel]!;
  const u = 1 - v - w;
  return [
    u * values[a]! + v * values[b]! + w * values[c]!,
    u * values[a + 1]! + v * values[b + 1]! + w * values[c + 1]!,
    u * values[a + 2]! + v * values[b + 2]! + w * values[c + 2]!,
  ];
}

function roughen(normal: Vector, [x, y, z]: Vector, { bump, bumpFrequency: f }: Surface): Vector {
  if (bump === 0) return normal;
  return [
    normal[0] + bump * (noise(f * x, f * y, f * z) - 0.5),
    normal[1] + bump * (noise(f * x + 9, f * y, f * z) - 0.5),
    normal[2] + bump * (noise(f * x, f * y + 9, f * z) - 0.5),
  ];
}

/** Unit length, and facing the camera: sheets have two sides. */
function orient(point: Point, [x, y, z]: Vector, ray: Float64Array): void {
  const facing = x * ray[0]! + y * ray[1]! + z * ray[2]! > 0 && point.owner !== nobody ? 1 : -1;
  const length = -facing * Math.sqrt(x * x + y * y + z * z);
  point.nx = x / length;
  point.ny = y / length;
  point.nz = z / length;
}

/** Replaces the surface's own colour by the light that leaves it towards the camera. */
function illuminate({ scene, blockers, ray, surface, point }: Sampling): void {
  const { light } = scene;
  const facing = point.nx * light.towards[0] + point.ny * light.towards[1] + point.nz * light.towards[2];
  const shadow = facing > -wrap ? sunlit(point, light, blockers) : 0;
  const open = openness(point, blockers);
  const key = shadow * Math.max(0, (facing + wrap) / (1 + wrap));
  const above = open * (0.5 + 0.5 * point.ny);
  const below = open * (0.5 - 0.5 * point.ny);
  const [glint, sheen] = highlight(surface, point, light, ray);
  const [keyGlint, skySheen] = [glint * shadow, sheen * open];
  surface.red = lit(surface.red, 0, light, key, above, below) + keyGlint * light.key[0] + skySheen * light.sky[0];
  surface.green = lit(surface.green, 1, light, key, above, below) + keyGlint * light.key[1] + skySheen * light.sky[1];
  surface.blue = lit(surface.blue, 2, light, key, above, below) + keyGlint * light.key[2] + skySheen * light.sky[2];
}

/** Light that skin scatters past the terminator. */
const wrap = 0.18;

function lit(albedo: number, channel: 0 | 1 | 2, light: Light, key: number, above: number, below: number): number {
  return albedo * (key * light.key[channel] + above * light.sky[channel] + below * light.bounce[channel]);
}

/** Share of the key light that reaches the point past all other bodies. */
function sunlit(point: Point, light: Light, blockers: readonly Blocker[]): number {
  let share = 1;
  for (const blocker of blockers) {
    if (blocker.owner === point.owner) continue;
    const x = blocker.x - point.x;
    const y = blocker.y - point.y;
    const z = blocker.z - point.z;
    const along = x * light.towards[0] + y * light.towards[1] + z * light.towards[2];
    if (along <= 0) continue;
    const miss = Math.sqrt(Math.max(0, x * x + y * y + z * z - along * along));
    const penumbra = light.softness * along + 0.02;
    if (miss < blocker.radius + penumbra)
      share *= smoothstep(blocker.radius - penumbra, blocker.radius + penumbra, miss);
  }
  return share;
}

/** Share of the sky that bodies near the point leave open. */
function openness(point: Point, blockers: readonly Blocker[]): number {
  let open = 1;
  for (const blocker of blockers) {
    if (blocker.owner === point.owner) continue;
    const x = blocker.x - point.x;
    const y = blocker.y - point.y;
    const z = blocker.z - point.z;
    const squared = x * x + y * y + z * z;
    const towards = (x * point.nx + y * point.ny + z * point.nz) / Math.sqrt(squared);
    if (towards > 0) open *= 1 - Math.min(0.95, (towards * blocker.radius * blocker.radius) / squared);
  }
  // A body standing on the ground darkens itself towards the ground.
  return point.owner === nobody ? open : open * (0.55 + 0.45 * smoothstep(-0.1, 0.9, point.y));
}

/** Strength of the key light's reflection and of the sky's (Blinn's half vector; Schlick's edge brightening). */
function highlight(surface: Surface, point: Point, light: Light, ray: Float64Array): readonly [number, number] {
  if (surface.gloss === 0) return noHighlight;
  const length = Math.sqrt(ray[0]! * ray[0]! + ray[1]! * ray[1]! + ray[2]! * ray[2]!);
  const vx = -ray[0]! / length;
  const vy = -ray[1]! / length;
  const vz = -ray[2]! / length;
  const hx = vx + light.towards[0];
  const hy = vy + light.towards[1];
  const hz = vz + light.towards[2];
  const along = point.nx * hx + point.ny * hy + point.nz * hz;
  const half = along > 0 ? along / Math.sqrt(hx * hx + hy * hy + hz * hz) : 0;
  const facing = Math.max(0, point.nx * vx + point.ny * vy + point.nz * vz);
  const rim = 1 - facing;
  const edge = 0.03 + 0.28 * rim * rim * rim * rim * rim;
  return [0.9 * surface.gloss * half ** surface.sharpness, surface.gloss * edge];
}

const noHighlight = [0, 0] as const;
