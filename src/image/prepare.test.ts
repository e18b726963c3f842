import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage } from "./decode.ts";
import { type Preprocessing, prepareImage, resizeToRgb, writeNormalised } from "./prepare.ts";
import { thumbnail } from "./thumbnail.ts";

const preprocessing: Preprocessing = { size: 32, resize: 40, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const pixels = Uint8Array.from({ length: 90 * 60 * 3 }, (_, index) => (index * index * 31) % 251);
const photo = () => sharp(pixels, { raw: { width: 90, height: 60, channels: 3 } });

/** Left third red, middle green, right blue. */
const stripes = Uint8Array.from({ length: 90 * 30 * 3 }, (_, index) => {
  const column = Math.floor(index / 3) % 90;
  return Math.floor(column / 30) === index % 3 ? 255 : 0;
});

describe("prepareImage", () => {
  test("is resizing, cropping and normalising, in planes of red, green and blue", async () => {
    const bytes = await photo().png().toBuffer();
    const rgb = await resizeToRgb(bytes, 32, { resize: 40 });
    const tensor = await prepareImage(bytes, preprocessing);
    expect(tensor).toHaveLength(3 * 32 * 32);
    for (const [channel, pixel] of [0, 1, 2].flatMap((channel) => [0, 500, 1_023].map((pixel) => [channel, pixel]))) {
      const expected =
        (rgb[3 * pixel! + channel!]! / 255 - preprocessing.mean[channel!]!) / preprocessing.std[channel!]!;
      expect(tensor[channel! * 1_024 + pixel!]).toBeCloseTo(expected, 6);
    }
  });

  test("gives the same tensor every time, one by one or at once", async () => {
    const bytes = await photo().jpeg().toBuffer();
    const first = await prepareImage(bytes, preprocessing);
    const again = await Promise.all(Array.from({ length: 8 }, () => prepareImage(bytes, preprocessing)));
    for (const tensor of again) expect(tensor).toEqual(first);
  });

  test("gives the same tensor for a lossless file and for its decoded pixels", async () => {
    const bytes = await photo().png().toBuffer();
    const decoded = await decodeImage(bytes);
    expect(await prepareImage(decoded, preprocessing)).toEqual(await prepareImage(bytes, preprocessing));
  });

  test("a file that cannot be decoded is refused as by decodeImage", async () => {
    const bytes = await photo().jpeg().toBuffer();
    const refused = (bad: Uint8Array) => prepareImage(bad, preprocessing);
    await expect(refused(bytes.subarray(0, 300))).rejects.toMatchObject({ code: "image_truncated" });
    await expect(refused(new TextEncoder().encode("<html>"))).rejects.toMatchObject({ code: "image_unsupported" });
    await expect(prepareImage(bytes, preprocessing, { maxPixels: 10 })).rejects.toMatchObject({
      code: "image_too_large",
    });
  });
});

describe("resizeToRgb", () => {
  test("keeps the centre of a wide image", async () => {
    const rgb = await resizeToRgb({ width: 90, height: 30, rgb: stripes }, 30);
    for (const pixel of [0, 449, 899]) expect([...rgb.subarray(3 * pixel, 3 * pixel + 3)]).toEqual([0, 255, 0]);
  });

  test("turns the image upright first", async () => {
    const bytes = await sharp(stripes, { raw: { width: 90, height: 30, channels: 3 } })
      .png()
      .withMetadata({ orientation: 6 })
      .toBuffer();
    const rgb = await resizeToRgb(bytes, 30);
    expect([...rgb.subarray(0, 3)]).toEqual([0, 255, 0]);
  });

  test.each([1, 7, 64, 300])("enlarges and shrinks to exactly %i pixels a side", async (side) => {
    expect(await resizeToRgb({ width: 90, height: 60, rgb: pixels }, side)).toHaveLength(3 * side * side);
  });

  test("a constant image stays constant", async () => {
    const grey = new Uint8Array(90 * 60 * 3).fill(77);
    expect(new Set(await resizeToRgb({ width: 90, height: 60, rgb: grey }, 50))).toEqual(new Set([77]));
  });

  test("a crop larger than what it is cut from is refused", async () => {
    await expect(resizeToRgb({ width: 90, height: 60, rgb: pixels }, 50, { resize: 40 })).rejects.toThrow(RangeError);
  });
});

test("writeNormalised refuses pixels or a target of the wrong size", () => {
  const target = new Float32Array(3 * 32 * 32);
  expect(() => writeNormalised(new Uint8Array(5), preprocessing, target)).toThrow(RangeError);
  expect(() => writeNormalised(new Uint8Array(3 * 32 * 32), preprocessing, target, 1)).toThrow(RangeError);
});

test("a thumbnail is a JPEG that fits the square, upright, never enlarged", async () => {
  const large = await sharp(
    await thumbnail(await photo().png().withMetadata({ orientation: 6 }).toBuffer(), 48),
  ).metadata();
  expect([large.format, large.width, large.height]).toEqual(["jpeg", 32, 48]);
  const small = await sharp(await thumbnail(await photo().png().toBuffer(), 500)).metadata();
  expect([small.width, small.height]).toEqual([90, 60]);
});
