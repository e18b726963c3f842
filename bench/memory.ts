/**
 * @file Bar `memory`: ingesting and labelling 100,000 rows each stay under 512 MB resident.
 *
 * Each stage runs in a process of its own on the same workspace: first the images are ingested, then ingested again
 * (nothing has changed), then labelled.
 */

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { createRng } from "../src/math/random.ts";
import { type Measured, measureProgram } from "./memory-support.ts";

const ROWS = 100_000;
const TARGET_MB = 512;
const SIDE = 16;
const PER_FOLDER = 1_000;

type Stage = {
  readonly name: string;
  /** A program of this folder, called with `FOLDER WORKSPACE`; it ends with `sayPeak`. Skipped where absent. */
  readonly program: string;
};

const stages: readonly Stage[] = [
  { name: "ingest", program: "memory-ingest-worker.ts" },
  { name: "ingestAgain", program: "memory-ingest-worker.ts" },
  { name: "label", program: "memory-label-worker.ts" },
];

/** Tiny pictures, no two alike. */
async function makePictures(folder: string): Promise<void> {
  const rng = createRng("memory");
  for (let start = 0; start < ROWS; start += PER_FOLDER) {
    const place = join(folder, `${start}`);
    await mkdir(place, { recursive: true });
    const pictures = Array.from({ length: PER_FOLDER }, () => makePicture(() => rng.integer(256)));
    await Promise.all(pictures.map(async (bytes, index) => writeFile(join(place, `${index}.png`), await bytes)));
  }
}

function makePicture(byte: () => number): Promise<Uint8Array> {
  const rgb = Uint8Array.from({ length: SIDE * SIDE * 3 }, byte);
  return sharp(rgb, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toBuffer();
}

const root = await mkdtemp(join(tmpdir(), "flywheel-memory-"));
try {
  const [pictures, workspace] = [join(root, "pictures"), join(root, "workspace")];
  console.log(`making ${ROWS.toLocaleString("en")} pictures of ${SIDE}² pixels`);
  await makePictures(pictures);
  const measured: Record<string, Measured> = {};
  for (const { name, program } of stages) {
    const path = join(import.meta.dirname, program);
    if (!existsSync(path)) continue;
    const result = await measureProgram(path, [pictures, workspace]);
    measured[name] = result;
    const { peakRssMb, seconds, said } = result;
    console.log(`${name}: ${peakRssMb.toFixed(0)} MB at most, ${seconds.toFixed(0)} s, ${JSON.stringify(said)}`);
  }
  const peakRssMb = Math.max(...Object.values(measured).map((stage) => stage.peakRssMb));
  const figures = { rows: ROWS, peakRssMb, stages: measured };
  const met = peakRssMb < TARGET_MB && stages.every(({ name }) => name in measured);
  console.log(JSON.stringify({ bar: "memory", figures, target: { peakRssMb: TARGET_MB }, met }));
} finally {
  await rm(root, { recursive: true });
}
