/** @file Small pictures for reports and reviewers. */

import { type OpenOptions, openImage, type RgbImage, runPipeline } from "./open-image.ts";

/**
 * A JPEG that fits into a square of `side` pixels, never enlarged.
 * @throws FlywheelError as `decodeImage`
 */
export async function thumbnail(
  source: Uint8Array | RgbImage,
  side: number,
  options: OpenOptions = {},
): Promise<Uint8Array> {
  return runPipeline(source, () =>
    openImage(source, options)
      .resize({ width: side, height: side, fit: "inside", withoutEnlargement: true })
      .jpeg({ quality: 80, mozjpeg: true })
      .toBuffer(),
  );
}
