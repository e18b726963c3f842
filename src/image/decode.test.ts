import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage, identityOf, readSize } from "./decode.ts";

const [width, height] = [60, 40];
/** Pixels without any pattern, so that damage shows. */
const pixels = Uint8Array.from({ length: width * height * 3 }, (_, index) => (index * index * 31 + index * 7) % 251);
const photo = () => sharp(pixels, { raw: { width, height, channels: 3 } });
const encoded = {
  "image/jpeg": await photo().jpeg().toBuffer(),
  "image/png": await photo().png().toBuffer(),
  "image/webp": await photo().webp().toBuffer(),
  "image/avif": await photo().avif().toBuffer(),
  "image/gif": await photo().gif().toBuffer(),
  "image/tiff": await photo().tiff({ compression: "lzw" }).toBuffer(),
};

/** The middle of `bytes` replaced. */
function damaged(bytes: Uint8Array): Uint8Array {
  const [from, to] = [Math.floor(bytes.length * 0.3), Math.floor(bytes.length * 0.6)];
  return bytes.map((byte, index) => (index >= from && index < to ? (index * 31) & 255 : byte));
}

describe("decodeImage", () => {
  test.each(Object.entries(encoded))("reads %s", async (mediaType, bytes) => {
    expect(await decodeImage(bytes)).toMatchObject({ mediaType, width, height, rgb: { length: width * height * 3 } });
  });

  test("gives the pixels of lossless files exactly", async () => {
    expect(Uint8Array.from((await decodeImage(encoded["image/png"])).rgb)).toEqual(pixels);
    expect(Uint8Array.from((await decodeImage(encoded["image/tiff"])).rgb)).toEqual(pixels);
  });

  test.each([
    ["grey", () => photo().greyscale().png()],
    ["16-bit grey", () => photo().toColourspace("grey16").png()],
    ["16-bit", () => photo().toColourspace("rgb16").png()],
    ["CMYK", () => photo().toColourspace("cmyk").jpeg()],
    ["palette", () => photo().png({ palette: true })],
    ["transparent", () => photo().ensureAlpha(0.5).png()],
  ])("gives three channels of one byte for a %s image", async (_, make) => {
    expect((await decodeImage(await make().toBuffer())).rgb).toHaveLength(width * height * 3);
  });

  test("turns a photo upright as its EXIF orientation says", async () => {
    const sideways = await photo().png().withExif({}).withMetadata({ orientation: 6 }).toBuffer();
    const upright = await decodeImage(sideways);
    expect([upright.width, upright.height]).toEqual([height, width]);
    expect([...upright.rgb.subarray(3 * (height - 1), 3 * height)]).toEqual([...pixels.subarray(0, 3)]);
  });

  test("lays transparency on white", async () => {
    const create = { width: 1, height: 2, channels: 4, background: { r: 200, g: 0, b: 0, alpha: 0 } } as const;
    expect([...(await decodeImage(await sharp({ create }).png().toBuffer())).rgb]).toEqual([
      255, 255, 255, 255, 255, 255,
    ]);
  });

  test.each(["gif", "webp"] as const)("takes the first frame of a %s animation", async (format) => {
    const frames = await Promise.all(
      ["#ff0000", "#0000ff"].map((background) =>
        sharp({ create: { width: 8, height: 8, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const animation = await sharp(frames, { join: { animated: true } })
      .toFormat(format, { lossless: true })
      .toBuffer();
    const first = await decodeImage(animation);
    expect([first.width, first.height, ...first.rgb.subarray(0, 3)]).toEqual([8, 8, 255, 0, 0]);
  });

  test.each(Object.entries(encoded))("says that a cut %s is truncated, wherever it was cut", async (_, bytes) => {
    for (const share of [0.95, 0.5, 0.02]) {
      const cut = bytes.subarray(0, Math.max(16, Math.floor(bytes.length * share)));
      const message = "the end of the image is missing";
      await expect(decodeImage(cut)).rejects.toMatchObject({ code: "image_truncated", message });
    }
  });

  test("says that a damaged file is corrupt", async () => {
    const { "image/webp": _, ...checked } = encoded;
    for (const bytes of Object.values(checked)) {
      await expect(decodeImage(damaged(bytes))).rejects.toMatchObject({ code: "image_corrupt" });
    }
  });

  test("refuses an image beyond the limit before it is decoded", async () => {
    await expect(decodeImage(encoded["image/png"], { maxPixels: 60 * 40 - 1 })).rejects.toMatchObject({
      code: "image_too_large",
    });
    expect((await decodeImage(encoded["image/png"], { maxPixels: 60 * 40 })).width).toBe(60);
  });

  test("a decompression bomb is refused before it takes memory", async () => {
    const create = { width: 16_000, height: 16_000, channels: 3, background: "red" } as const;
    const bomb = await sharp({ create }).png({ compressionLevel: 9 }).toBuffer();
    expect(bomb.length).toBeLessThan(1_000_000);
    const memory = process.memoryUsage.rss();
    await expect(decodeImage(bomb)).rejects.toMatchObject({ code: "image_too_large" });
    expect(process.memoryUsage.rss() - memory).toBeLessThan(100_000_000);
  });

  test("an empty file is called empty", async () => {
    await expect(decodeImage(new Uint8Array())).rejects.toMatchObject({ code: "image_empty" });
  });

  test.each([
    ["<!DOCTYPE html><html><body>404</body></html>", "HTML page"],
    ['<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG drawing"],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS pointer"],
    ["%PDF-1.7 ...", "PDF"],
    ["PK\u0003\u0004...", "ZIP"],
    ["\0\0\0\u0018ftypheic\0\0\0\0", "HEIC"],
    ["\0\0\0\u0018ftypisom\0\0\0\0", "video"],
    ['{"a": 1}', "JSON"],
    ["plain words", "text"],
    ["\u0001\u0002\u0003", "unknown binary data"],
    ["\0".repeat(500), "zero bytes"],
  ])("a file that is no image is refused with what it looks like: %#", async (content, looks) => {
    await expect(decodeImage(Buffer.from(content, "latin1"))).rejects.toMatchObject({
      code: "image_unsupported",
      message: expect.stringContaining(looks),
    });
  });
});

test("readSize tells the size from the header alone", async () => {
  expect(await readSize(encoded["image/avif"])).toEqual({ width, height });
  expect(await readSize(encoded["image/jpeg"].subarray(0, 400))).toEqual({ width, height });
  await expect(readSize(encoded["image/png"], { maxPixels: 10 })).rejects.toMatchObject({ code: "image_too_large" });
  await expect(readSize(new Uint8Array())).rejects.toMatchObject({ code: "image_empty" });
});

describe("identityOf", () => {
  test("is that of the pixels, whatever file carried them", async () => {
    const carriers = [encoded["image/png"], encoded["image/tiff"], await photo().webp({ lossless: true }).toBuffer()];
    const identities = await Promise.all(carriers.map(async (bytes) => identityOf(await decodeImage(bytes))));
    expect(new Set(identities)).toEqual(new Set([identityOf({ width, height, rgb: pixels })]));
  });

  test("tells apart one pixel, and the same bytes in another shape", () => {
    const changed = pixels.with(17, pixels[17]! ^ 1);
    const identities = [
      identityOf({ width, height, rgb: pixels }),
      identityOf({ width, height, rgb: changed }),
      identityOf({ width: height, height: width, rgb: pixels }),
    ];
    expect(new Set(identities).size).toBe(3);
    expect(identities[0]).toMatch(/^[0-9a-f]{64}$/);
  });
});
