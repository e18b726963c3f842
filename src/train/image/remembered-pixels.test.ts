import sharp from "sharp";
import { expect, test } from "vitest";
import { resizeToRgb } from "../../image/prepare.ts";
import { PixelMemory } from "./remembered-pixels.ts";

const photo = (shade: number) =>
  sharp(new Uint8Array(40 * 30 * 3).fill(shade), { raw: { width: 40, height: 30, channels: 3 } })
    .jpeg()
    .toBuffer();

const square = { size: 16, resize: 20 };

test("gives what decoding gives, and the second time the same array, for equal bytes", async () => {
  const memory = new PixelMemory(10_000);
  const bytes = await photo(90);
  const first = await memory.pixelsOf(bytes, square);
  expect(first).toEqual(await resizeToRgb(bytes, 16, { resize: 20 }));
  expect(await memory.pixelsOf(Uint8Array.from(bytes), square)).toBe(first);
});

test("another square of the same photo is another picture", async () => {
  const memory = new PixelMemory(10_000);
  const bytes = await photo(90);
  await memory.pixelsOf(bytes, square);
  expect(await memory.pixelsOf(bytes, { size: 8, resize: 20 })).toHaveLength(8 * 8 * 3);
});

test("forgets what nobody has asked for the longest once the room is used up", async () => {
  const memory = new PixelMemory(2 * 16 * 16 * 3);
  const [one, two, three] = [await photo(10), await photo(120), await photo(230)];
  const [first, second] = [await memory.pixelsOf(one, square), await memory.pixelsOf(two, square)];
  await memory.pixelsOf(one, square);
  await memory.pixelsOf(three, square);
  expect(await memory.pixelsOf(one, square)).toBe(first);
  expect(await memory.pixelsOf(two, square)).not.toBe(second);
});

test("does not remember a photo that cannot be decoded", async () => {
  const memory = new PixelMemory(10_000);
  const broken = (await photo(90)).subarray(0, 200);
  await expect(memory.pixelsOf(broken, square)).rejects.toMatchObject({ code: "image_truncated" });
  await expect(memory.pixelsOf(broken, square)).rejects.toMatchObject({ code: "image_truncated" });
});
