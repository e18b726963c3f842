/**
 * @file The one door to `sharp` (libvips): its global settings, the guard against decompression bombs, and its errors as
 * coded ones.
 */

import sharp, { type Sharp } from "sharp";
import { FlywheelError, messageOf } from "../errors.ts";
import { describeContent, isCutShort, type MediaType, mediaTypeOf } from "./media-type.ts";

// One thread per image: callers decode several images at once, which scales better than several threads on one.
sharp.concurrency(1);
// Its cache of operations helps who repeats them on the same file; we never do, and memory stays bounded without it.
sharp.cache(false);

/** 8,192²: more than any full-frame camera takes, and 200 MB once decoded. */
export const MAX_PIXELS = 8_192 * 8_192;

/** Pixels in memory: `rgb` is `[height, width, 3]`, sRGB, one byte each. */
export type RgbImage = { readonly width: number; readonly height: number; readonly rgb: Uint8Array };

export type OpenOptions = {
  /** Larger images are refused before anything is decoded. */
  readonly maxPixels?: number;
};

/**
 * A pipeline that yields opaque, upright sRGB: EXIF orientation applied, transparency laid on white, first frame of an
 * animation.
 * @throws FlywheelError `image_empty`, `image_unsupported`
 */
export function openImage(source: Uint8Array | RgbImage, { maxPixels = MAX_PIXELS }: OpenOptions = {}): Sharp {
  if (!(source instanceof Uint8Array)) {
    const { width, height, rgb } = source;
    return sharp(rgb, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  }
  requireMediaType(source);
  // On warnings too: they are how libjpeg reports a photo whose lower half has turned grey.
  return sharp(source, { limitInputPixels: maxPixels, failOn: "warning", pages: 1 })
    .autoOrient()
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb");
}

/** @throws FlywheelError `image_empty`, `image_unsupported` */
export function requireMediaType(bytes: Uint8Array): MediaType {
  if (bytes.byteLength === 0) throw new FlywheelError("image_empty", "the file is empty");
  const type = mediaTypeOf(bytes);
  if (type !== undefined) return type;
  throw new FlywheelError(
    "image_unsupported",
    `not an image that can be read: it looks like ${describeContent(bytes)}`,
    {
      hint: "jpeg, png, webp, avif, gif and tiff can be read",
    },
  );
}

/**
 * What the pipeline gives, or its failure as a coded error.
 * @throws FlywheelError `image_truncated`, `image_corrupt`, `image_too_large`
 */
export async function runPipeline<T>(source: Uint8Array | RgbImage, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw source instanceof Uint8Array ? toImageError(source, thrown) : thrown;
  }
}

function toImageError(bytes: Uint8Array, cause: unknown): unknown {
  if (FlywheelError.isInstance(cause)) return cause;
  const reason = firstLine(messageOf(cause)).replace(/:\s*$/, "");
  if (/exceeds (pixel )?limit|too (large|big)|dimensions/i.test(reason)) {
    return new FlywheelError("image_too_large", `the image is too large to be decoded: ${reason}`, {
      hint: "scale it down, or raise the limit of pixels if you trust its source",
      cause,
    });
  }
  const type = mediaTypeOf(bytes);
  if (
    (type !== undefined && isCutShort(bytes, type)) ||
    /premature end of JPEG|unexpected end|truncated/i.test(reason)
  ) {
    // What the decoder says varies with the place of the cut, and tells nobody more.
    return new FlywheelError("image_truncated", "the end of the image is missing", {
      hint: "copy or download the file again",
      cause,
    });
  }
  return new FlywheelError("image_corrupt", `the image is damaged: ${reason}`, {
    hint: "copy or download it again",
    cause,
  });
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";
