/** @file From the bytes of a file to pixels, and from pixels to an identity. */

import { createHash } from "node:crypto";
import type { MediaType } from "./media-type.ts";
import { type OpenOptions, openImage, type RgbImage, requireMediaType, runPipeline } from "./open-image.ts";

export type DecodedImage = RgbImage & {
  /** Of the content, whatever the file is called. */
  readonly mediaType: MediaType;
};

/**
 * Decodes jpeg, png, webp, avif, gif or tiff: upright, on white, sRGB, the first frame of an animation.
 * @throws FlywheelError `image_empty`, `image_unsupported`, `image_truncated`, `image_corrupt`, `image_too_large`
 */
export async function decodeImage(bytes: Uint8Array, options: OpenOptions = {}): Promise<DecodedImage> {
  const mediaType = requireMediaType(bytes);
  const { data, info } = await runPipeline(bytes, () =>
    openImage(bytes, options).raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true }),
  );
  return { width: info.width, height: info.height, rgb: data, mediaType };
}

/**
 * Width and height as the file's header says, before it is turned upright. Decodes nothing.
 * @throws FlywheelError as `decodeImage`, as far as the header tells
 */
export async function readSize(
  bytes: Uint8Array,
  options: OpenOptions = {},
): Promise<{ readonly width: number; readonly height: number }> {
  const { width, height } = await runPipeline(bytes, () => openImage(bytes, options).metadata());
  return { width, height };
}

/**
 * Hash of what is seen, 64 hex digits: the same picture under another name, in another lossless format or with other
 * metadata is the same.
 */
export function identityOf({ width, height, rgb }: RgbImage): string {
  return createHash("sha256").update(`image ${width}x${height}\n`).update(rgb).digest("hex");
}
