/**
 * @file Apples and pears. Both are one body with a neck: none makes an apple, a long one a pear, and the ranges overlap in
 * shape and in colour, so that some apples and pears are told apart by little (as in life: the confusion of the teacher).
 */

import type { Rng } from "../../math/random.ts";
import { type Body, type Part, stick, turned } from "./body.ts";
import { between, blend, type Colour, draw, hex, pick, scale } from "./colour.ts";
import { leaf } from "./leaf.ts";
import { finish, type Material, paint, shade, tint } from "./material.ts";
import { clamp, fractal, noise, smoothstep } from "./noise.ts";

type Skin = {
  readonly ground: Colour;
  readonly blush: Colour;
  /** Share of the body that the blush covers, in [0, 1]. */
  readonly cover: number;
  readonly streaks: number;
  readonly specks: number;
  readonly russet: number;
  readonly gloss: number;
};

const green = ["8fae3a", "b3c24a", "6f9a2e"].map(hex);
const yellow = ["d9c24e", "c9b23c", "e2cc78"].map(hex);
const red = ["b01f24", "8e1420", "c9402e"].map(hex);
const brown = ["8a6536", "a37b3f", "77552c"].map(hex);
const bark = hex("4a3420");

export function apple(rng: Rng): Body {
  const lookAlike = rng.next() < 0.06;
  const neck = lookAlike ? between(0.16, 0.34, rng) : between(-0.12, 0.12, rng);
  return pome(neck, appleSkin(rng), between(0.25, 0.5, rng), rng);
}

export function pear(rng: Rng): Body {
  const lookAlike = rng.next() < 0.08;
  const neck = lookAlike ? between(0.2, 0.4, rng) : between(0.62, 1.1, rng);
  return pome(neck, pearSkin(rng), between(0.35, 0.75, rng), rng);
}

function appleSkin(rng: Rng): Skin {
  const kind = rng.next();
  const ground = kind < 0.6 ? draw(yellow, rng) : draw(green, rng);
  const cover = kind < 0.55 ? between(0.85, 1.1, rng) : kind < 0.9 ? between(0.4, 0.75, rng) : between(0, 0.12, rng);
  return {
    ground,
    blush: draw(red, rng),
    cover,
    streaks: rng.next(),
    specks: between(0, 0.5, rng),
    russet: between(0, 0.35, rng),
    gloss: between(0.25, 0.7, rng),
  };
}

function pearSkin(rng: Rng): Skin {
  const ground = rng.next() < 0.25 ? draw(brown, rng) : rng.next() < 0.5 ? draw(yellow, rng) : draw(green, rng);
  const cover = rng.next() < 0.25 ? between(0.2, 0.5, rng) : rng.next() < 0.04 ? 1 : 0;
  return {
    ground,
    blush: draw(red, rng),
    cover,
    streaks: 0.2 * rng.next(),
    specks: between(0.3, 1, rng),
    russet: between(0.1, 0.7, rng),
    gloss: between(0.08, 0.45, rng),
  };
}

function pome(neck: number, skin: Skin, stemLength: number, rng: Rng): Body {
  const squat = between(0.88, 1.06, rng);
  const [lean, ribs] = [between(-0.12, 0.12, rng), between(0, 0.025, rng)];
  const profile = (along: number, angle: number) => pomeProfile(along, angle, { neck, squat, ribs });
  const top = pomeProfile(1, 0, { neck, squat, ribs })[1];
  const body: Part = { mesh: turned(profile), material: pomeSkin(skin, rng) };
  const stem = stick({
    from: [0, top - 0.12, 0],
    to: [lean * 2, top + stemLength, lean],
    bend: [lean, 0, -lean],
    thickness: [0.055, 0.045],
    material: (_x, _y, _z, surface) => {
      paint(surface, bark);
      finish(surface, 0.05, 12);
    },
  });
  const leaves = rng.next() < 0.18 ? [leaf({ at: [lean, top + 0.1, 0], length: between(0.7, 1.1, rng), rng })] : [];
  const parts = rng.next() < 0.88 ? [body, stem, ...leaves] : [body];
  return { parts, spheres: [[0, 0, 0, 0.95], ...(neck > 0.3 ? [[0, 0.8, 0, 0.6] as const] : [])] };
}

/** Polar angle from the bottom; the hollows at both poles close as the neck grows. */
function pomeProfile(
  along: number,
  angle: number,
  { neck, squat, ribs }: { readonly neck: number; readonly squat: number; readonly ribs: number },
): [number, number] {
  const [sine, cosine] = [Math.sin(Math.PI * along), -Math.cos(Math.PI * along)];
  const waist = 1 - 0.58 * Math.max(neck, 0) * smoothstep(-0.35, 0.75, cosine) + 0.07 * Math.min(neck, 0) * -cosine;
  const taper = neck < 0.3 ? 1 + (0.1 - 0.2 * Math.max(neck, 0)) * cosine : 1;
  const stretch = cosine > 0 ? 1 + 0.95 * Math.max(neck, 0) : 1;
  const topHollow = 0.34 * clamp(1 - 1.6 * neck, 0.02, 1) * Math.exp(-((sine / 0.42) ** 2)) * (cosine > 0 ? 1 : 0);
  const bottomHollow = 0.2 * Math.exp(-((sine / 0.3) ** 2)) * (cosine < 0 ? 1 : 0);
  const ribbing = 1 + ribs * Math.cos(5 * angle) * (1 - cosine);
  return [sine ** 0.92 * waist * taper * ribbing, squat * (cosine * stretch - topHollow + bottomHollow)];
}

function pomeSkin(skin: Skin, rng: Rng): Material {
  const offset = between(0, 32, rng);
  const sunny = between(0, 2 * Math.PI, rng);
  const [sunX, sunZ] = [Math.cos(sunny), Math.sin(sunny)];
  const speckColour = pick([scale(skin.ground, 1.5), scale(brown[0]!, 0.7)], rng);
  const deep = blend(skin.ground, skin.blush, 0.15);
  return (x, y, z, surface) => {
    paint(surface, skin.ground);
    tint(surface, deep, noise(2 * x + offset, 2 * y, 2 * z));
    const side = 0.5 + 0.35 * (x * sunX + z * sunZ) + 0.12 * y;
    const patch = side + 0.55 * (fractal(1.5 * x + offset, 1.5 * y, 1.5 * z) - 0.5);
    const angle = Math.atan2(z, x);
    const streak = skin.streaks * 0.5 * (noise(7 * angle + offset, 1.4 * y, offset) - 0.5);
    tint(surface, skin.blush, smoothstep(1 - skin.cover - 0.18, 1 - skin.cover + 0.18, patch + streak));
    const radius = Math.sqrt(x * x + z * z);
    tint(surface, brown[2]!, skin.russet * smoothstep(0.4, 0.05, radius + 0.3 * noise(6 * angle, 4 * y, offset)));
    const speck = noise(13 * x + offset, 13 * y, 13 * z);
    tint(surface, speckColour, skin.specks * 0.6 * smoothstep(0.72, 0.85, speck));
    shade(surface, 0.85 + 0.3 * noise(5 * x, 5 * y + offset, 5 * z));
    finish(surface, skin.gloss, 45);
  };
}
