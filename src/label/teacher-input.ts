/**
 * @file What the teacher is shown. An image goes as it came where every provider takes it; a format that some refuse
 * (AVIF, TIFF, animated GIF) or a photo larger than they look at anyway is re-encoded, upright, with its sides in
 * proportion. A dozen megapixels cost bandwidth and memory, and no provider reads more than this.
 */

import type { TeacherInput } from "../contracts.ts";
import { openImage, runPipeline } from "../image/open-image.ts";
import type { ImageInput, Row } from "../records.ts";
import type { Store } from "../store/contract.ts";

/** Pixels of the longer side. Anthropic scales to 1,568, OpenAI and Google cut tiles of 512 and 768. */
export const MAX_IMAGE_SIDE = 1536;
/** Beyond this a request becomes slow to send whatever its size in pixels. */
const MAX_IMAGE_BYTES = 4 * 2 ** 20;
const acceptedMediaTypes: readonly string[] = ["image/jpeg", "image/png", "image/webp"];

/** @throws FlywheelError `blob_missing`, `blob_corrupt`, `image_corrupt`, `image_truncated` */
export async function loadTeacherInput(store: Store, row: Row): Promise<TeacherInput> {
  if (row.input.kind !== "image") return row.input;
  const bytes = await store.blobs.get(row.input.blob);
  return { kind: "image", ...(await presentImage(bytes, row.input)) };
}

type Payload = { readonly bytes: Uint8Array; readonly mediaType: string };

/** The same bytes always become the same payload: a simulated teacher knows its pictures by it. */
export async function presentImage(
  bytes: Uint8Array,
  { width, height, mediaType }: Pick<ImageInput, "width" | "height" | "mediaType">,
): Promise<Payload> {
  const isAccepted = acceptedMediaTypes.includes(mediaType) && bytes.length <= MAX_IMAGE_BYTES;
  if (isAccepted && Math.max(width, height) <= MAX_IMAGE_SIDE) return { bytes, mediaType };
  const fitted = openImage(bytes)
    .resize({ width: MAX_IMAGE_SIDE, height: MAX_IMAGE_SIDE, fit: "inside", withoutEnlargement: true })
    .jpeg({ quality: 92 });
  return { bytes: await runPipeline(bytes, () => fitted.toBuffer()), mediaType: "image/jpeg" };
}
