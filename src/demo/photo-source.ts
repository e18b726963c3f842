/** @file Where the demonstration's photos come from: rendered, or the real CIFAR-100. Either way files with gold labels. */

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "csv-parse/sync";
import type { Clock, Progress } from "../contracts.ts";
import { createRng, fork, type Seed, shuffle } from "../math/random.ts";
import type { LabelValue } from "../records.ts";
import { downloadCifar100 } from "./cifar100.ts";
import { renderPhotos } from "./render-photos.ts";
import type { Photo } from "./traffic.ts";

export const DemoData = ["rendered", "cifar100"] as const;
export type DemoData = (typeof DemoData)[number];

export type PhotoSource = {
  /** To be labelled at the start; the rest is traffic, in rounds of equal size. */
  readonly start: readonly Photo[];
  readonly rounds: readonly (readonly Photo[])[];
  /** The CSV with every gold label: what a simulated teacher answers from. */
  readonly goldPath: string;
};

export type PhotoSourceOptions = {
  readonly data: DemoData;
  readonly directory: string;
  readonly counts: { readonly start: number; readonly round: number; readonly rounds: number };
  readonly seed: Seed;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export async function preparePhotos(options: PhotoSourceOptions): Promise<PhotoSource> {
  const { counts, seed } = options;
  const goldPath = await writePhotos(options);
  const photos = shuffle(await readPhotos(goldPath), createRng(fork(seed, "demo-order")));
  const round = Math.min(counts.round, Math.floor((photos.length - counts.start) / counts.rounds));
  const rounds = Array.from({ length: counts.rounds }, (_, index) => {
    const from = counts.start + index * round;
    return photos.slice(from, from + round);
  });
  return { start: photos.slice(0, counts.start), rounds, goldPath };
}

/** Pixels: a little more than the student sees, so that its crops lose nothing. */
const renderedSide = 72;

async function writePhotos({
  data,
  counts,
  directory,
  seed,
  clock,
  progress,
  signal,
}: PhotoSourceOptions): Promise<string> {
  const work = { directory, ...(progress && { progress }), ...(signal && { signal }) };
  switch (data) {
    case "rendered": {
      const count = counts.start + counts.rounds * counts.round;
      return (await renderPhotos({ ...work, seed, count, side: renderedSide })).gold;
    }
    case "cifar100":
      return (await downloadCifar100({ ...work, clock })).gold;
    default:
      return data satisfies never;
  }
}

async function readPhotos(goldPath: string): Promise<readonly Photo[]> {
  const records = parse<{ file: string; label: LabelValue }>(await readFile(goldPath), { columns: true });
  return records.map(({ file, label }) => ({ path: join(dirname(goldPath), file), gold: label }));
}
