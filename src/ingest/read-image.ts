/** @file From a file to what a row is made of: read, decode, identify. What cannot become a row says why. */

import { readFile, stat } from "node:fs/promises";
import { extname } from "node:path";
import { FlywheelError, messageOf } from "../errors.ts";
import { type DecodedImage, decodeImage, identityOf, readSize } from "../image/decode.ts";
import { type MediaType, mediaTypeOf } from "../image/media-type.ts";
import { type RowId, rowId } from "../records.ts";
import type { Refusal } from "./candidate.ts";
import type { Gate } from "./gate.ts";

/** No photograph is larger; a disk image that was called .jpg must not fill the memory. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** What tells whether a file has changed since it was last read. */
export type Fingerprint = { readonly sizeBytes: number; readonly modifiedMs: number };

export type ReadImage = {
  readonly id: RowId;
  readonly bytes: Uint8Array;
  readonly image: Omit<DecodedImage, "rgb">;
};

/**
 * Looked at before the file is opened: to open a pipe could wait for ever.
 * @throws FlywheelError `file_unreadable`, `image_too_large`, and what the file system throws
 */
export async function fingerprintOf(path: string): Promise<Fingerprint> {
  const stats = await stat(path);
  if (!stats.isFile()) throw new FlywheelError("file_unreadable", "it is not a file");
  if (stats.size <= MAX_FILE_BYTES) return { sizeBytes: stats.size, modifiedMs: stats.mtimeMs };
  throw new FlywheelError("image_too_large", `the file has ${stats.size} bytes, more than ${MAX_FILE_BYTES}`);
}

const typeOfExtension: Readonly<Record<string, MediaType>> = {
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".png": "image/png",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".gif": "image/gif",
  ".tif": "image/tiff",
  ".tiff": "image/tiff",
};

/**
 * A file that is not what its name says has been through something that nobody intended; whoever owns it should look.
 * @throws FlywheelError `image_mislabelled`
 */
function checkName(path: string, bytes: Uint8Array): void {
  const extension = extname(path).toLowerCase();
  const [named, found] = [typeOfExtension[extension], mediaTypeOf(bytes)];
  if (named === undefined || found === undefined || named === found) return;
  throw new FlywheelError("image_mislabelled", `it is named ${extension}, but holds ${found}`, {
    hint: `rename it to .${found.slice("image/".length)} and ingest it again`,
  });
}

/**
 * @param pixels bounds the pixels that are decoded at once
 * @throws FlywheelError as `decodeImage`, `image_mislabelled`, and what the file system throws
 */
export async function readImage(path: string, pixels: Gate): Promise<ReadImage> {
  const bytes = await readFile(path);
  checkName(path, bytes);
  const { width, height } = await readSize(bytes);
  return pixels.run(width * height, async () => {
    const { rgb, ...image } = await decodeImage(bytes);
    return { id: rowId(identityOf({ ...image, rgb })), bytes, image };
  });
}

/** What `read` gives, or why the file is refused. Any failure that is not the file's is thrown. */
export async function orRefusal<T extends object>(source: string, read: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await read();
  } catch (thrown) {
    return { source, ...reasonOf(thrown) };
  }
}

function reasonOf(thrown: unknown): Pick<Refusal, "code" | "message"> {
  if (FlywheelError.isInstance(thrown)) return { code: thrown.code, message: thrown.message };
  if (!(thrown instanceof Error && "syscall" in thrown)) throw thrown;
  const isMissing = "code" in thrown && thrown.code === "ENOENT";
  return { code: isMissing ? "file_missing" : "file_unreadable", message: messageOf(thrown) };
}
