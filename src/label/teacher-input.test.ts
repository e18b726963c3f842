import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { ImageInput } from "../records.ts";
import { loadTeacherInput, MAX_IMAGE_SIDE } from "./teacher-input.ts";
import { openTestStore, textRow } from "./testing/fixtures.ts";

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "#c33" } });

async function shown(bytes: Uint8Array, size: Pick<ImageInput, "width" | "height" | "mediaType">) {
  const store = await openTestStore();
  const blob = await store.blobs.put(bytes);
  return await loadTeacherInput(store, textRow("x", { input: { kind: "image", blob, ...size } }));
}

describe("what the teacher is shown", () => {
  test("text as it is", async () => {
    const store = await openTestStore();
    expect(await loadTeacherInput(store, textRow("hello"))).toEqual({ kind: "text", text: "hello" });
  });

  test("a picture of a size and format that providers take: its very bytes", async () => {
    const bytes = await picture(40, 30).png().toBuffer();
    const input = await shown(bytes, { width: 40, height: 30, mediaType: "image/png" });
    expect(input).toMatchObject({ kind: "image", mediaType: "image/png" });
    expect(input.kind === "image" && Buffer.compare(input.bytes, bytes)).toBe(0);
  });

  test.each(["avif", "tiff", "gif"] as const)("%s, which not every provider takes, as a JPEG", async (format) => {
    const bytes = await picture(40, 30).toFormat(format).toBuffer();
    expect(await shown(bytes, { width: 40, height: 30, mediaType: `image/${format}` })).toMatchObject({
      mediaType: "image/jpeg",
    });
  });

  test("a large photo no larger than they look at, in proportion", async () => {
    const bytes = await picture(3072, 1024).jpeg().toBuffer();
    const input = await shown(bytes, { width: 3072, height: 1024, mediaType: "image/jpeg" });
    const { width, height } = await sharp(input.kind === "image" ? input.bytes : undefined).metadata();
    expect([width, height]).toEqual([MAX_IMAGE_SIDE, MAX_IMAGE_SIDE / 3]);
  });
});
