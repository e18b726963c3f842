/**
 * @file The fruit of CIFAR-100 (A. Krizhevsky, 2009): the data of the original proof of concept, from where its author
 * publishes it. The five classes are enlarged from 32 to 224 pixels and sharpened, as the original did: the teacher is shown
 * these files too, and a language model sees little in 32 pixels.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { Clock, Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { download } from "../train/download.ts";
import { type Cifar100Record, readFruitRecords } from "./cifar100-archive.ts";
import { type FruitPhotos, fileExists, writeGold, writeWhole } from "./photo-files.ts";

export const cifar100Url = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz";
export const cifar100Sha256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec";

export type Cifar100Options = {
  readonly directory: string;
  readonly clock: Clock;
  readonly url?: string;
  /** 64 hex digits. */
  readonly sha256?: string;
  /** Side of the enlarged photos, pixels; 224 by default. */
  readonly side?: number;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Downloads 169 MB, once, and writes 3,000 photos (2,500 `train-…`, 500 `test-…`, numbered as in the archive) and their gold
 * labels. Stopped, it goes on where it was.
 * @throws FlywheelError `dataset_unavailable` (retryable), `dataset_not_found`, `dataset_corrupt`
 */
export async function downloadCifar100(options: Cifar100Options): Promise<FruitPhotos> {
  const { directory, side = 224, progress, signal } = options;
  const photos = join(directory, "photos");
  await mkdir(photos, { recursive: true });
  const archive = join(directory, "cifar-100-binary.tar.gz");
  await fetchArchive(archive, options);
  const records = await readFruitRecords(archive, signal);
  for (const [index, record] of records.entries()) {
    signal?.throwIfAborted();
    await writePhoto(join(photos, fileName(record)), record, side);
    progress?.({ stage: "photos", done: index + 1, total: records.length });
  }
  const gold = records.map((record) => ({ file: `photos/${fileName(record)}`, label: record.label }));
  return { photos, gold: await writeGold(directory, gold) };
}

async function fetchArchive(path: string, options: Cifar100Options): Promise<void> {
  if (await fileExists(path)) return;
  const { url = cifar100Url, sha256 = cifar100Sha256, clock, progress, signal } = options;
  const onProgress = (done: number, total?: number) =>
    progress?.({ stage: "download", done, ...(total === undefined ? {} : { total }) });
  try {
    await download({ url, path, sha256, clock, onProgress, signal });
  } catch (thrown) {
    throw FlywheelError.isInstance(thrown) ? datasetError(thrown) : thrown;
  }
}

/** The downloader speaks of weights, for which it was made. */
const datasetCodes: Readonly<Record<string, string>> = {
  weights_not_found: "dataset_not_found",
  weights_unavailable: "dataset_unavailable",
  weights_corrupt: "dataset_corrupt",
};

function datasetError(error: FlywheelError): FlywheelError {
  return new FlywheelError(datasetCodes[error.code] ?? error.code, error.message, {
    hint: "check the network and run the command again (what has come is kept), or use the rendered photos",
    retryable: error.retryable,
    cause: error,
  });
}

/** No label in the name: whoever sees the file must look at the picture. */
const fileName = ({ part, number }: Cifar100Record): string => `${part}-${String(number).padStart(5, "0")}.jpg`;

async function writePhoto(path: string, { rgb }: Cifar100Record, side: number): Promise<void> {
  if (await fileExists(path)) return;
  const jpeg = await sharp(rgb, { raw: { width: 32, height: 32, channels: 3 } })
    .resize(side, side, { kernel: "lanczos3" })
    .sharpen()
    .jpeg({ quality: 92, chromaSubsampling: "4:4:4" })
    .toBuffer();
  await writeWhole(path, jpeg);
}
