/**
 * @file Things that are not fruit: what stands in the way (cups, spoons, boxes, branches, leaves) and what lies about.
 */

import type { Rng } from "../../math/random.ts";
import { type Body, stick, turned } from "./body.ts";
import { between, draw, hex, pick } from "./colour.ts";
import { leaf } from "./leaf.ts";
import { finish, type Material, paint, shade } from "./material.ts";
import { noise } from "./noise.ts";

const glazes = ["e8e4da", "31507a", "8c2f2a", "d9b44a", "6a7f6a", "2b2b2e", "c78a6a", "b9c4cc"].map(hex);
const woods = ["8a5a34", "b5834f", "4a3420"].map(hex);

/** Something to stand in front of the fruit or beside it. Upright along y, about one unit in radius. */
export function prop(rng: Rng): Body {
  return pick([cup, spoon, ball, twig, spray], rng)(rng);
}

function cup(rng: Rng): Body {
  const [height, flare] = [between(0.7, 1.6, rng), between(-0.15, 0.3, rng)];
  const profile = (along: number): [number, number] =>
    along === 0 || along === 1 ? [0, (2 * along - 1) * height] : [0.75 + flare * along, (2 * along - 1) * height];
  const mesh = turned(profile, { rows: 8, columns: 22 });
  return { parts: [{ mesh, material: glazed(rng) }], spheres: [[0, 0, 0, 0.8]] };
}

function ball(rng: Rng): Body {
  const [width, height] = [between(0.6, 1, rng), between(0.5, 1, rng)];
  const profile = (along: number): [number, number] => [
    width * Math.sin(Math.PI * along) ** 0.8,
    -height * Math.cos(Math.PI * along),
  ];
  const mesh = turned(profile, { rows: 12, columns: 18 });
  return { parts: [{ mesh, material: glazed(rng) }], spheres: [[0, 0, 0, 0.8 * width]] };
}

function spoon(rng: Rng): Body {
  const material = plain(draw(woods, rng), 0.25);
  const handle = stick({ from: [0, -1.6, 0], to: [0, 1.6, 0], bend: [0.1, 0, 0], thickness: [0.1, 0.13], material });
  return { parts: [handle], spheres: [[0, 0, 0, 0.15]] };
}

function twig(rng: Rng): Body {
  const material = plain(draw(woods, rng), 0);
  const bend = [between(-0.4, 0.4, rng), 0, between(-0.4, 0.4, rng)] as const;
  const wood = stick({ from: [-0.3, -1.5, 0], to: [0.3, 1.5, 0], bend, thickness: [0.07, 0.04], material });
  const leaves = Array.from({ length: 3 }, () =>
    leaf({ at: [0, between(-0.8, 1.2, rng), 0], length: between(0.7, 1.2, rng), rng }),
  );
  return { parts: [wood, ...leaves], spheres: [[0, 0, 0, 0.15]] };
}

function spray(rng: Rng): Body {
  const parts = Array.from({ length: 4 }, () => leaf({ at: [0, 0, 0], length: between(0.8, 1.4, rng), rng }));
  return { parts, spheres: [] };
}

const glazed = (rng: Rng): Material => plain(draw(glazes, rng), between(0, 0.8, rng));

function plain(colour: readonly [number, number, number], gloss: number): Material {
  return (x, y, z, surface) => {
    paint(surface, colour);
    shade(surface, 0.85 + 0.3 * noise(4 * x, 4 * y, 4 * z));
    finish(surface, gloss, 50);
  };
}
