/**
 * @file Arranges a photo: which fruit, how it lies, what lies about and in the way, where the light and the camera are.
 */

import type { Rng } from "../../math/random.ts";
import type { Body } from "./body.ts";
import { between, type Colour, pick, scale } from "./colour.ts";
import { drawLens, type Lens } from "./lens.ts";
import { blankSurface, type Material } from "./material.ts";
import type { Vector } from "./mesh.ts";
import { mushroom } from "./mushroom.ts";
import { orange } from "./orange.ts";
import { apple, pear } from "./pome.ts";
import { prop } from "./props.ts";
import type { Light, Scene } from "./shade.ts";
import { add, type Camera, lookAt, type Placed, restingHeight, turnBy, unit } from "./space.ts";
import { backdrop, foliage, ground } from "./surroundings.ts";
import { sweetPepper } from "./sweet-pepper.ts";

/** In the order of the original's confusion matrix. */
export const FruitLabel = ["apple", "mushroom", "orange", "pear", "sweet_pepper"] as const;
export type FruitLabel = (typeof FruitLabel)[number];

type Habit = {
  readonly grow: (rng: Rng) => Body;
  /** Share that stands upright; most of the others lie on their side. */
  readonly upright: number;
};

/** Mushrooms mostly lie: from above, an upright cap is a ball like any other. */
const habits: { readonly [L in FruitLabel]: Habit } = {
  apple: { grow: apple, upright: 0.75 },
  mushroom: { grow: mushroom, upright: 0.55 },
  orange: { grow: orange, upright: 0.6 },
  pear: { grow: pear, upright: 0.75 },
  sweet_pepper: { grow: sweetPepper, upright: 0.78 },
};

export type Composition = { readonly scene: Scene; readonly lens: Lens };

export function compose(label: FruitLabel, rng: Rng): Composition {
  const subject = lay(label, [0, 0, 0], 1, rng);
  const hanging = rng.next() < 0.14;
  const below = hanging ? undefined : ground(rng);
  const centre: Vector = subject.at;
  const camera = drawCamera(centre, rng);
  const company = [...siblings(label, rng), ...strangers(label, rng), ...obstacles(camera, centre, rng)];
  const placed = [subject, ...company];
  const scene: Scene = {
    placed: hanging ? placed.map((one) => lift(one, rng, one === subject)) : placed,
    camera,
    light: drawLight(below, rng),
    ground: below,
    backdrop: hanging ? foliage(rng) : backdrop(rng),
  };
  const away = add(camera.at, centre, -1);
  return { scene, lens: drawLens(Math.hypot(...away) - 0.7, rng) };
}

/** Puts a fruit down on the ground at x and z, turned at random after its habit. */
function lay(label: FruitLabel, at: Vector, size: number, rng: Rng): Placed {
  const { grow, upright } = habits[label];
  const pose = rng.next();
  const tilt = pose < upright ? between(0, 0.4, rng) : pose < 0.97 ? between(1, 1.8, rng) : between(0, Math.PI, rng);
  return put(grow(rng), { at, size, tilt }, rng);
}

function put(body: Body, { at: [x, , z], size, tilt }: { at: Vector; size: number; tilt: number }, rng: Rng): Placed {
  const turn = turnBy(between(0, 7, rng), tilt, between(0, 7, rng));
  return { body, turn, size, at: [x, size * restingHeight(body, turn), z] };
}

/** Fruit that hangs in the open need not lie on anything. */
function lift(placed: Placed, rng: Rng, isSubject: boolean): Placed {
  if (isSubject) return placed;
  return { ...placed, at: add(placed.at, [0, between(-1, 1, rng), 0]) };
}

function siblings(label: FruitLabel, rng: Rng): Placed[] {
  const count = rng.next() < 0.6 ? 0 : 1 + rng.integer(3);
  const first = between(0, 7, rng);
  return Array.from({ length: count }, (_, index) => {
    const size = between(0.85, 1.1, rng);
    return lay(label, onRing(first + 1.35 * index, between(1.9, 2.5, rng)), size, rng);
  });
}

/** Other things, and now and then another fruit, behind the subject. */
function strangers(label: FruitLabel, rng: Rng): Placed[] {
  const place = () => onRing(between(-2.4, -0.7, rng), between(2.8, 4.2, rng));
  const size = between(0.6, 1, rng);
  const things = rng.next() < 0.3 ? [put(prop(rng), { at: place(), size, tilt: between(0, 0.4, rng) }, rng)] : [];
  const others = FruitLabel.filter((other) => other !== label);
  return rng.next() < 0.05 ? [...things, lay(pick(others, rng), place(), size, rng)] : things;
}

const onRing = (angle: number, radius: number): Vector => [radius * Math.cos(angle), 0, radius * Math.sin(angle)];

/** Something between the lens and the fruit, to one side, so that it hides a part. */
function obstacles(camera: Camera, centre: Vector, rng: Rng): Placed[] {
  if (rng.next() >= 0.2) return [];
  const near = add(centre, unit(add(camera.at, centre, -1)), between(1.5, 2.6, rng));
  const aside = between(0.75, 1.35, rng) * (rng.next() < 0.5 ? -1 : 1);
  const body = prop(rng);
  const turn = turnBy(between(0, 7, rng), between(0, 1.2, rng), between(0, 7, rng));
  const at = add(add(near, camera.right, aside), camera.up, between(-0.9, 0.5, rng));
  return [{ body, turn, size: between(0.4, 0.8, rng), at }];
}

function drawCamera(centre: Vector, rng: Rng): Camera {
  const zoom = between(1.8, 4.5, rng);
  /** Share of the picture's half side that one unit of the fruit spans. */
  const span = between(0.58, 0.88, rng);
  const distance = zoom / span + 1;
  const aside: Vector = [between(-0.22, 0.22, rng), between(-0.15, 0.25, rng), 0];
  const [elevation, roll] = [between(0.12, 0.8, rng), 0.07 * rng.normal()];
  return lookAt({ target: add(centre, aside), distance, elevation, roll, zoom });
}

function drawLight(below: Material | undefined, rng: Rng): Light {
  const [around, height] = [between(0, 2 * Math.PI, rng), between(0.35, 1.4, rng)];
  const towards = unit([Math.cos(around), Math.tan(height) * 0.8, Math.sin(around) * 0.8 + 0.25]);
  const warmth = between(-0.12, 0.28, rng);
  const balance = between(0.25, 0.75, rng);
  const key: Colour = scale([1 + warmth, 1 + 0.2 * warmth, 1 - warmth], 1.9 * (1 - balance));
  const sky: Colour = scale([1 - 0.3 * warmth, 1, 1 + 0.5 * warmth], 1.15 * balance + 0.1);
  return { towards, key, sky, bounce: thrownBack(below, key, sky), softness: between(0.04, 0.5, rng) };
}

/** The ground's mean colour in this light. */
function thrownBack(below: Material | undefined, key: Colour, sky: Colour): Colour {
  if (!below) return scale(sky, 0.5);
  const surface = blankSurface();
  let sum: Colour = [0, 0, 0];
  for (let spot = 0; spot < 6; spot++) {
    below(1.7 * spot, 0, 2.9 * spot, surface);
    sum = add(sum, [surface.red, surface.green, surface.blue], 1 / 6);
  }
  return [sum[0] * (key[0] * 0.5 + sky[0]), sum[1] * (key[1] * 0.5 + sky[1]), sum[2] * (key[2] * 0.5 + sky[2])];
}
