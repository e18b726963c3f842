/**
 * @file Oranges: whole, pitted and glossy; now and then a half, cut face up.
 */

import type { Rng } from "../../math/random.ts";
import { type Body, type Part, turned } from "./body.ts";
import { between, blend, type Colour, draw, hex } from "./colour.ts";
import { leaf } from "./leaf.ts";
import { finish, type Material, paint, shade, tint } from "./material.ts";
import { fractal, noise, smoothstep } from "./noise.ts";

const peels = ["d97a14", "e8921a", "cf6410", "e3a531"].map(hex);
const unripe = hex("9a9a30");
const calyx = hex("6b7a32");
const pith = hex("efdfae");

export function orange(rng: Rng): Body {
  const peel = draw(peels, rng);
  const squat = between(0.86, 1.02, rng);
  if (rng.next() < 0.13) return halved(peel, squat, rng);
  const body: Part = { mesh: turned((along) => wholeProfile(along, squat)), material: peelSkin(peel, squat, rng) };
  const leaves = rng.next() < 0.12 ? [leaf({ at: [0, squat, 0], length: between(0.6, 1, rng), rng })] : [];
  return { parts: [body, ...leaves], spheres: [[0, 0, 0, 0.95]] };
}

function wholeProfile(along: number, squat: number): [number, number] {
  const [sine, cosine] = [Math.sin(Math.PI * along), -Math.cos(Math.PI * along)];
  const dimple = 0.07 * Math.exp(-((sine / 0.16) ** 2));
  return [sine, squat * (cosine - Math.sign(cosine) * dimple)];
}

function peelSkin(peel: Colour, squat: number, rng: Rng): Material {
  const [offset, gloss, pits] = [between(0, 32, rng), between(0.2, 0.5, rng), between(0.25, 0.5, rng)];
  const greenness = rng.next() < 0.15 ? between(0.2, 0.7, rng) : 0;
  return (x, y, z, surface) => {
    paint(surface, peel);
    tint(surface, unripe, greenness * smoothstep(0.35, 0.7, fractal(x + offset, y, z)));
    shade(surface, 0.9 + 0.2 * noise(14 * x + offset, 14 * y, 14 * z));
    const radius = Math.sqrt(x * x + z * z);
    if (y > 0) tint(surface, calyx, 0.9 * smoothstep(0.13, 0.08, radius));
    finish(surface, gloss * squat, 30, pits, 11);
  };
}

/** A half with its cut face up: the face is the flat top of the body. */
function halved(peel: Colour, squat: number, rng: Rng): Body {
  const profile = (along: number): [number, number] => {
    if (along > 0.62) return [(1 - along) / 0.38, 0];
    const angle = (along / 0.62) * 0.5 * Math.PI;
    return [Math.sin(angle), -squat * Math.cos(angle)];
  };
  const skin = peelSkin(peel, squat, rng);
  const flesh = cutFace(blend(peel, hex("f0a830"), 0.6), rng);
  const material: Material = (x, y, z, surface) => (y > -0.015 ? flesh : skin)(x, y, z, surface);
  return { parts: [{ mesh: turned(profile), material }], spheres: [[0, -0.35, 0, 0.75]] };
}

function cutFace(flesh: Colour, rng: Rng): Material {
  const segments = 9 + rng.integer(3);
  const turn = between(0, 1, rng);
  return (x, _y, z, surface) => {
    const radius = Math.sqrt(x * x + z * z);
    const around = (Math.atan2(z, x) / (2 * Math.PI) + 1 + turn) * segments;
    const toWall = Math.abs(around - Math.round(around)) * radius;
    paint(surface, flesh);
    shade(surface, 0.8 + 0.4 * noise(9 * radius, around * 2.3, turn * 32));
    tint(
      surface,
      pith,
      Math.max(smoothstep(0.16, 0.06, toWall * 2.5), smoothstep(0.84, 0.9, radius), smoothstep(0.12, 0.07, radius)),
    );
    finish(surface, 0.5, 60);
  };
}
