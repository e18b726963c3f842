/**
 * @file Rendered fruit as files: `photos/00000.jpg`, … and `gold.csv`. Nothing about a file tells its label: numbers are
 * handed out before labels are drawn, and size and quality do not depend on them.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { Progress } from "../contracts.ts";
import { createRng, fork, type Seed } from "../math/random.ts";
import { type FruitPhotos, fileExists, writeGold, writeWhole } from "./photo-files.ts";
import { fruitLabel, renderFruit } from "./render-fruit.ts";

export type FruitPhotosOptions = {
  readonly directory: string;
  readonly count: number;
  readonly seed: Seed;
  /** Number of the first photo; the same number is the same photo. 0 by default. */
  readonly from?: number;
  /** Pixels; 96 by default. */
  readonly side?: number;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Enough to keep the encoder's threads busy while the next photo is rendered. */
const maxEncoding = 4;

/** Writes `count` photos; those already there are kept, so that a stopped run goes on where it was. */
export async function writeFruitPhotos(options: FruitPhotosOptions): Promise<FruitPhotos> {
  const { directory, count, seed, from = 0 } = options;
  const photos = await writePhotos(options);
  return { photos, gold: await writeGold(directory, goldOf(seed, from, count)) };
}

/** The photos without their gold: several threads may write ranges of one folder. Returns the folder. */
export async function writePhotos(options: FruitPhotosOptions): Promise<string> {
  const { directory, count, seed, from = 0, side = 96, progress, signal } = options;
  const photos = join(directory, "photos");
  await mkdir(photos, { recursive: true });
  const encoding = new Set<Promise<void>>();
  for (let index = from; index < from + count; index++) {
    signal?.throwIfAborted();
    const photo = writePhoto({ seed, index, side, path: join(photos, fileName(index)) }).finally(() =>
      encoding.delete(photo),
    );
    encoding.add(photo);
    if (encoding.size >= maxEncoding) await Promise.race(encoding);
    progress?.({ stage: "photos", done: index - from + 1, total: count });
  }
  await Promise.all(encoding);
  return photos;
}

const fileName = (index: number): string => `${String(index).padStart(5, "0")}.jpg`;

async function writePhoto(photo: { seed: Seed; index: number; side: number; path: string }): Promise<void> {
  if (await fileExists(photo.path)) return;
  await writeWhole(photo.path, await encodeFruit(photo));
}

/** One photo as a JPEG file of ordinary quality (55 to 92, drawn by number). */
export async function encodeFruit({
  seed,
  index,
  side,
}: {
  seed: Seed;
  index: number;
  side: number;
}): Promise<Uint8Array> {
  const { rgb } = renderFruit({ seed, index, side });
  const quality = 55 + createRng(fork(seed, "fruit-quality", index)).integer(38);
  return sharp(rgb, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
}

function goldOf(seed: Seed, from: number, count: number): { file: string; label: string }[] {
  return Array.from({ length: count }, (_, offset) => {
    const index = from + offset;
    return { file: `photos/${fileName(index)}`, label: fruitLabel({ seed, index }) };
  });
}
