import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FruitLabel, fruitLabel, renderFruit } from "./render-fruit.ts";
import { writeFruitPhotos } from "./write-fruit-photos.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fruit-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("renderFruit", () => {
  test("the same number is the same photo, another number or seed another one", () => {
    const photo = renderFruit({ seed: 1, index: 3, side: 32 });
    expect(renderFruit({ seed: 1, index: 3, side: 32 })).toEqual(photo);
    expect(renderFruit({ seed: 1, index: 4, side: 32 }).rgb).not.toEqual(photo.rgb);
    expect(renderFruit({ seed: 2, index: 3, side: 32 }).rgb).not.toEqual(photo.rgb);
  });

  test("the label is known without rendering, and every label occurs about as often", () => {
    const labels = Array.from({ length: 2000 }, (_, index) => fruitLabel({ seed: "even", index }));
    for (const label of FruitLabel) {
      // 400 expected, standard deviation 18: five of these either way.
      expect(Math.abs(labels.filter((one) => one === label).length - 400)).toBeLessThan(90);
    }
    for (let index = 0; index < 10; index++) {
      expect(renderFruit({ seed: "even", index, side: 16 }).label).toBe(labels[index]);
    }
  });

  test("every photo has a subject: light and dark, and no pixel that arithmetic has ruined", () => {
    fc.assert(
      fc.property(fc.nat(100_000), (index) => {
        const { rgb, side } = renderFruit({ seed: "any", index, side: 24 });
        expect(rgb).toHaveLength(side * side * 3);
        expect(Math.max(...rgb) - Math.min(...rgb)).toBeGreaterThan(40);
      }),
      { numRuns: 60 },
    );
  });

  test("the side changes the resolution, not the scene", async () => {
    const small = renderFruit({ seed: "size", index: 5, side: 32 });
    const large = renderFruit({ seed: "size", index: 5, side: 96 });
    const shrunk = await sharp(large.rgb, { raw: { width: 96, height: 96, channels: 3 } })
      .resize(32)
      .raw()
      .toBuffer();
    const difference = small.rgb.reduce((sum, value, index) => sum + Math.abs(value - shrunk[index]!), 0);
    expect(difference / shrunk.length).toBeLessThan(16);
  });

  test("refuses sides that are no picture", () => {
    for (const side of [0, 15, 32.5, 4096, Number.NaN]) {
      expect(() => renderFruit({ seed: 1, index: 0, side })).toThrow(RangeError);
    }
  });
});

describe("writeFruitPhotos", () => {
  test("writes photos and gold; a second run keeps what is there", async () => {
    const options = { directory: join(folder, "a"), count: 6, from: 10, seed: 1, side: 32 };
    const { photos, gold } = await writeFruitPhotos(options);
    const rows = parse<Record<string, string>>(await readFile(gold), { columns: true });
    expect((await readdir(photos)).sort()).toEqual(rows.map(({ file }) => file?.replace("photos/", "")));
    expect(rows[0]).toEqual({ file: "photos/00010.jpg", label: fruitLabel({ seed: 1, index: 10 }) });
    expect(await sharp(join(photos, "00010.jpg")).metadata()).toMatchObject({ format: "jpeg", width: 32, height: 32 });
    const before = await stat(join(photos, "00010.jpg"));
    await writeFruitPhotos(options);
    expect((await stat(join(photos, "00010.jpg"))).mtimeMs).toBe(before.mtimeMs);
  });

  test("stops when told to, and leaves no half-written photo", async () => {
    const stop = new AbortController();
    const progress = ({ done }: { done: number }) => void (done === 3 && stop.abort(new Error("enough")));
    const writing = writeFruitPhotos({
      directory: join(folder, "b"),
      count: 50,
      seed: 1,
      side: 32,
      progress,
      signal: stop.signal,
    });
    await expect(writing).rejects.toThrow("enough");
    const files = await readdir(join(folder, "b", "photos"));
    expect(files.length).toBeLessThan(50);
    for (const file of files.filter((name) => name.endsWith(".jpg"))) {
      await expect(sharp(join(folder, "b", "photos", file)).stats()).resolves.toBeDefined();
    }
  });
});
