/**
 * @file What the fruit lies on and what is behind it: wood, cloth, stone, grass, paper; walls, foliage, kitchens.
 */

import type { Rng } from "../../math/random.ts";
import { between, blend, type Colour, draw, hex, pick, scale } from "./colour.ts";
import { finish, type Material, paint, shade, tint } from "./material.ts";
import { fractal, noise, smoothstep } from "./noise.ts";

const woods = ["8a5a34", "b5834f", "5f3d24", "c9a273", "d8c3a0"].map(hex);
const cloths = ["e6e0d4", "9c2f2f", "2f4a7a", "d8c7a0", "4d5a4a", "c9c9cf", "b58a3a"].map(hex);
const stones = ["b9b4aa", "4a4a4e", "8f8a80", "2c2c30", "dcd8d0"].map(hex);
const earths = ["4a3a26", "5c4a2e", "6f5a3a"].map(hex);
const grasses = ["4f7028", "6f8f3a", "35521e", "8a9a4a"].map(hex);
const papers = ["f4f4f2", "e6e2da", "cfd6da", "d9c9b0", "e8c7c0", "b7c4b0"].map(hex);
const walls = ["cfc8bc", "8f9aa0", "5a5048", "e0dcd4", "3a3c40", "a58a6a"].map(hex);

const makers: readonly ((rng: Rng) => Material)[] = [wood, cloth, stone, meadow, paper];

/** A ground to lie on; x and z are units of the world, y is unused. */
export function ground(rng: Rng): Material {
  return pick(makers, rng)(rng);
}

function wood(rng: Rng): Material {
  const [light, offset, plank] = [draw(woods, rng), between(0, 32, rng), between(1.2, 3.5, rng)];
  const dark = scale(light, between(0.45, 0.75, rng));
  const [c, s] = heading(rng);
  return (x, _y, z, surface) => {
    const [across, along] = [c * x + s * z, c * z - s * x];
    const board = Math.floor(across / plank);
    paint(surface, light);
    tint(
      surface,
      dark,
      noise(7 * across + 0.8 * fractal(across, 0.3 * along, offset), 0.35 * along + 7 * board, offset),
    );
    const gap = Math.abs(across / plank - board - 0.5);
    shade(surface, (0.85 + 0.3 * noise(board + 0.5, offset)) * (1 - 0.7 * smoothstep(0.485, 0.5, gap)));
    finish(surface, 0.12, 16);
  };
}

function cloth(rng: Rng): Material {
  const [base, second, offset] = [draw(cloths, rng), draw(cloths, rng), between(0, 32, rng)];
  const pattern = rng.integer(3);
  const period = between(0.5, 1.6, rng);
  const [c, s] = heading(rng);
  return (x, _y, z, surface) => {
    const [u, v] = [(c * x + s * z) / period, (c * z - s * x) / period];
    const across = stripe(u);
    const check = 0.5 * (across + stripe(v));
    paint(surface, base);
    tint(surface, second, pattern === 0 ? 0 : pattern === 1 ? across : check);
    const folds = noise(0.5 * x + offset, 0.5 * z);
    shade(surface, (0.72 + 0.5 * folds) * (0.92 + 0.16 * noise(16 * x, 16 * z)));
    finish(surface, 0, 8);
  };
}

const stripe = (position: number): number => smoothstep(0.2, 0.3, Math.abs(position - Math.round(position)));

function stone(rng: Rng): Material {
  const [base, vein] = [draw(stones, rng), draw(stones, rng)];
  const [offset, gloss] = [between(0, 32, rng), between(0, 0.5, rng)];
  return (x, _y, z, surface) => {
    paint(surface, base);
    const ridge = Math.abs(fractal(0.7 * x + offset, 0.7 * z) - 0.5);
    tint(surface, vein, 0.7 * smoothstep(0.06, 0, ridge));
    shade(surface, 0.85 + 0.3 * noise(12 * x, 12 * z, offset));
    finish(surface, gloss, 40);
  };
}

function meadow(rng: Rng): Material {
  const [earth, blade] = [draw(earths, rng), draw(grasses, rng)];
  const [offset, lush] = [between(0, 32, rng), between(0.1, 0.75, rng)];
  return (x, _y, z, surface) => {
    paint(surface, earth);
    shade(surface, 0.5 + fractal(3 * x + offset, 3 * z));
    const tuft = fractal(1.1 * x + offset, 1.1 * z) + 0.35 * (noise(12 * x, 4 * z + offset) - 0.5);
    tint(surface, blade, smoothstep(0.75 - lush, 0.95 - lush, tuft) * (0.45 + 0.55 * noise(14 * x, 5 * z)));
    finish(surface, 0, 8);
  };
}

function paper(rng: Rng): Material {
  const base = draw(papers, rng);
  const offset = between(0, 32, rng);
  return (x, _y, z, surface) => {
    paint(surface, base);
    shade(surface, 0.94 + 0.1 * noise(0.4 * x + offset, 0.4 * z));
    finish(surface, 0.04, 10);
  };
}

const heading = (rng: Rng): readonly [number, number] => {
  const angle = between(0, Math.PI, rng);
  return [Math.cos(angle), Math.sin(angle)];
};

/** What is behind, out of focus; x and y are screen coordinates in [−1, 1]. The colour is the light itself. */
export function backdrop(rng: Rng): Material {
  const kind = rng.next();
  if (kind < 0.4) return foliage(rng);
  return kind < 0.75 ? wall(rng) : kitchen(rng);
}

export function foliage(rng: Rng): Material {
  const [dark, light] = [scale(draw(grasses, rng), 0.35), draw(grasses, rng)];
  const sky: Colour = scale(hex("d5e2ea"), between(0.5, 1.3, rng));
  const [offset, grain, open] = [between(0, 32, rng), between(1.5, 4, rng), between(0.6, 0.95, rng)];
  return (x, y, _z, surface) => {
    paint(surface, dark);
    tint(surface, light, smoothstep(0.25, 0.75, fractal(grain * x + offset, grain * y)));
    tint(surface, sky, smoothstep(open, open + 0.15, noise(1.7 * grain * x, 1.7 * grain * y + offset, offset)));
  };
}

function wall(rng: Rng): Material {
  const [low, high] = [draw(walls, rng), draw(walls, rng)];
  const [offset, slope] = [between(0, 32, rng), between(-0.5, 0.5, rng)];
  const far = blend(low, high, 0.4);
  return (x, y, _z, surface) => {
    paint(surface, far);
    tint(surface, high, smoothstep(-1, 1, y + slope * x));
    shade(surface, 0.85 + 0.3 * noise(1.2 * x + offset, 1.2 * y));
  };
}

/** Blurred boxes of light and dark: shelves, windows, people. */
function kitchen(rng: Rng): Material {
  const shapes = Array.from({ length: 5 }, () => ({
    colour: draw(rng.next() < 0.5 ? walls : cloths, rng),
    x: between(-1, 1, rng),
    y: between(-0.2, 1, rng),
    halfWidth: between(0.1, 0.7, rng),
    halfHeight: between(0.1, 0.6, rng),
  }));
  const base = draw(walls, rng);
  return (x, y, _z, surface) => {
    paint(surface, base);
    for (const { colour, ...box } of shapes) {
      const inside =
        smoothstep(box.halfWidth + 0.1, box.halfWidth - 0.1, Math.abs(x - box.x)) *
        smoothstep(box.halfHeight + 0.1, box.halfHeight - 0.1, Math.abs(y - box.y));
      tint(surface, colour, inside);
    }
  };
}
