/**
 * @file Mushrooms: button, brown, and now and then a red cap with white dots. A cap with gills below, on a stem.
 */

import type { Rng } from "../../math/random.ts";
import { type Body, turned } from "./body.ts";
import { between, type Colour, draw, hex, pick } from "./colour.ts";
import { finish, type Material, paint, shade, tint } from "./material.ts";
import { fractal, mix, noise, smoothstep } from "./noise.ts";

const white = ["e9e2d3", "d8cbb2", "efe9df"].map(hex);
const brown = ["9a7349", "7a5535", "b58a5a"].map(hex);
const tawny = ["c07a30", "a9582a", "d19a4a"].map(hex);
const scarlet = ["b3261c", "c4421e"].map(hex);
const gillColours = ["8a6a50", "caa98a", "5f4636"].map(hex);
const wart = hex("efe8d6");

type Cap = { readonly height: number; readonly rim: number; readonly curl: number };
type Skin = { readonly cap: Colour; readonly gills: Colour; readonly stem: Colour; readonly warts: number };

export function mushroom(rng: Rng): Body {
  const cap: Cap = { height: between(0.4, 0.95, rng), rim: between(0.95, 1.1, rng), curl: between(0, 0.3, rng) };
  const stemHeight = between(0.7, 1.5, rng);
  const stemRadius = between(0.22, 0.45, rng);
  const skin = mushroomSkin(rng);
  const top = {
    mesh: turned((along) => capProfile(along, cap), { rows: 20, columns: 28 }),
    material: capSkin(skin, rng),
  };
  const stem = {
    mesh: turned((along) => stemProfile(along, stemHeight, stemRadius), { rows: 8, columns: 14 }),
    material: stemSkin(skin.stem, rng),
  };
  return {
    parts: [top, stem],
    spheres: [
      [0, 0.05, 0, 0.8],
      [0, -0.6 * stemHeight, 0, stemRadius],
    ],
  };
}

function mushroomSkin(rng: Rng): Skin {
  const kind = rng.next();
  const palette = kind < 0.45 ? white : kind < 0.72 ? brown : kind < 0.86 ? tawny : scarlet;
  const warts = kind >= 0.86 ? 1 : 0;
  return { cap: draw(palette, rng), gills: pick(gillColours, rng), stem: draw(white, rng), warts };
}

/** Underside from the stem out to the rim, then over the dome to the top. */
function capProfile(along: number, { height, rim, curl }: Cap): [number, number] {
  if (along < 0.35) {
    const out = along / 0.35;
    return [rim * 0.93 * out, -curl * out ** 3 + 0.08 * (1 - out)];
  }
  const angle = ((along - 0.35) / 0.65) * 0.5 * Math.PI;
  return [rim * Math.cos(angle) ** 0.85, height * Math.sin(angle) - curl * (1 - Math.sin(angle))];
}

function stemProfile(along: number, height: number, radius: number): [number, number] {
  const swelling = mix(1.15, 0.85, smoothstep(0, 0.5, along));
  return [along === 0 || along === 1 ? 0 : radius * swelling, -height + (height + 0.1) * along];
}

function capSkin(skin: Skin, rng: Rng): Material {
  const [offset, gloss, scaly] = [between(0, 32, rng), between(0.05, 0.3, rng), rng.next()];
  const centre = draw(brown, rng);
  return (x, y, z, surface) => {
    const radius = Math.sqrt(x * x + z * z);
    if (y < 0.09 && radius < 0.92) return paintGills(x, z, skin.gills, surface);
    paint(surface, skin.cap);
    tint(surface, centre, 0.45 * scaly * smoothstep(0.75, 0.1, radius + 0.3 * (fractal(3 * x + offset, 3 * z) - 0.5)));
    shade(surface, 0.8 + 0.35 * fractal(4 * x + offset, 4 * y, 4 * z));
    if (skin.warts > 0) tint(surface, wart, smoothstep(0.62, 0.7, noise(4.5 * x + offset, 4.5 * y, 4.5 * z)));
    finish(surface, gloss, 14);
  };
}

function paintGills(x: number, z: number, colour: Colour, surface: Parameters<Material>[3]): void {
  paint(surface, colour);
  shade(surface, 0.65 + 0.5 * noise(14 * Math.atan2(z, x), 0.5, 0.5));
  finish(surface, 0, 8);
}

function stemSkin(colour: Colour, rng: Rng): Material {
  const offset = between(0, 32, rng);
  return (x, y, z, surface) => {
    paint(surface, colour);
    shade(surface, 0.75 + 0.4 * noise(6 * Math.atan2(z, x) + offset, 2 * y, offset));
    finish(surface, 0.03, 8);
  };
}
