/**
 * @file Sweet peppers: three or four lobes, sunken at the top, a thick green stem, the glossiest skin of the five.
 */

import type { Rng } from "../../math/random.ts";
import { type Body, type Part, stick, turned } from "./body.ts";
import { between, type Colour, draw, hex, pick } from "./colour.ts";
import { finish, type Material, paint, shade, tint } from "./material.ts";
import { noise, smoothstep } from "./noise.ts";

const palettes: readonly (readonly Colour[])[] = [
  ["b5161a", "96101a", "c8281c"].map(hex),
  ["3f7d20", "2f661c", "5a9430"].map(hex),
  ["b5161a", "96101a", "c8281c"].map(hex),
  ["3f7d20", "2f661c", "5a9430"].map(hex),
  ["e2b01a", "d99c12"].map(hex),
  ["d9741a", "cf5f14"].map(hex),
];
const stalk = hex("5f8a34");

type Shape = {
  readonly lobes: number;
  readonly depth: number;
  readonly height: number;
  readonly taper: number;
  readonly turn: number;
};

export function sweetPepper(rng: Rng): Body {
  const shape: Shape = {
    lobes: 3 + rng.integer(2),
    depth: between(0.14, 0.3, rng),
    height: between(1.05, 1.55, rng),
    taper: between(0.05, 0.42, rng),
    turn: between(0, 6, rng),
  };
  const body: Part = {
    mesh: turned((along, angle) => lobed(along, angle, shape), { rows: 24, columns: 40 }),
    material: pepperSkin(draw(pick(palettes, rng), rng), rng),
  };
  const lean = between(-0.3, 0.3, rng);
  const top = 0.62 * shape.height;
  const stem = stick({
    from: [0, top, 0],
    to: [lean, shape.height + between(0.3, 0.65, rng), lean * between(-1, 1, rng)],
    bend: [-0.3 * lean, 0, 0.2 * lean],
    thickness: [0.28, 0.13],
    material: stalkSkin,
  });
  return {
    parts: [body, stem],
    spheres: [
      [0, 0.35 * shape.height, 0, 0.85],
      [0, -0.4 * shape.height, 0, 0.7],
    ],
  };
}

const stalkSkin: Material = (x, y, z, surface) => {
  paint(surface, stalk);
  shade(surface, 0.75 + 0.5 * noise(9 * x, 3 * y, 9 * z));
  finish(surface, 0.15, 20);
};

/** A block with rounded shoulders whose sides swell between sharp valleys; top and bottom are drawn in. */
function lobed(along: number, angle: number, { lobes, depth, height, taper, turn }: Shape): [number, number] {
  const [sine, cosine] = [Math.sin(Math.PI * along), -Math.cos(Math.PI * along)];
  const valley = 1 - Math.abs(Math.sin(0.5 * lobes * angle + turn)) ** 0.7;
  const radius = sine ** 0.55 * (1 - taper * (0.5 - 0.5 * cosine)) * (1 - depth * valley);
  const sunken = cosine > 0 ? 0.42 : 0.22;
  const level = Math.sign(cosine) * Math.abs(cosine) ** 0.8 * (1 - sunken * Math.exp(-((sine / 0.45) ** 2)));
  return [0.95 * radius, height * (level - 0.1 * valley * Math.max(cosine, 0) * sine)];
}

function pepperSkin(colour: Colour, rng: Rng): Material {
  const [offset, gloss] = [between(0, 32, rng), between(0.55, 1, rng)];
  const second = draw(pick(palettes, rng), rng);
  const turning = rng.next() < 0.18 ? between(0.3, 0.8, rng) : 0;
  return (x, y, z, surface) => {
    paint(surface, colour);
    tint(surface, second, turning * smoothstep(0.45, 0.75, noise(1.3 * x + offset, 1.3 * y, 1.3 * z)));
    shade(surface, 0.88 + 0.24 * noise(3 * x + offset, 3 * y, 3 * z));
    finish(surface, gloss, 110);
  };
}
