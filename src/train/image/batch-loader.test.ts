import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { photoAugmentation } from "../../image/augment.ts";
import { prepareImage } from "../../image/prepare.ts";
import { tinyPreprocessing as preprocessing, tintedPixels, writeTintedPhotos } from "../testing.ts";
import { type BatchPlan, type LoaderOptions, loadBatches } from "./batch-loader.ts";

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-batches-"));
  path = join(folder, "photos.bin");
  await writeTintedPhotos(path, 10, "batch");
});
afterAll(() => rm(folder, { recursive: true }));

const plans: readonly BatchPlan[] = [
  [3, 1, 4],
  [1, 5],
  [9, 2, 6],
].map((indices, batch) => indices.map((index) => ({ index, seed: `${batch}/${index}` })));

async function batches(options: Partial<LoaderOptions>): Promise<readonly Float32Array[]> {
  const loaded: Float32Array[] = [];
  for await (const images of loadBatches(plans, { path, preprocessing, workers: 1, ...options })) {
    loaded.push(images.slice());
  }
  return loaded;
}

describe("batches", () => {
  test("hold what serving would see of their photos, in order", async () => {
    const served = await Promise.all(
      plans.map(async (plan) => {
        const images = plan.map(({ index }) => {
          const rgb = tintedPixels(index % 2, `batch/${index}`);
          return prepareImage({ width: 16, height: 16, rgb }, preprocessing);
        });
        return Float32Array.from((await Promise.all(images)).flatMap((image) => [...image]));
      }),
    );
    expect(await batches({})).toEqual(served);
  });

  test("do not depend on the number of threads, and vary with their seeds", async () => {
    const one = await batches({ augmentation: photoAugmentation });
    expect(await batches({ augmentation: photoAugmentation, workers: 3 })).toEqual(one);
    const [first, second] = [one[0]!.subarray(3 * 256, 6 * 256), one[1]!.subarray(0, 3 * 256)];
    expect(first).not.toEqual(second); // photo 1, twice
  });

  test("say when their thread has failed", async () => {
    await expect(batches({ path: join(folder, "absent.bin") })).rejects.toMatchObject({ code: "batch_worker_failed" });
  });
});
