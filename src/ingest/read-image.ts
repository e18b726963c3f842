/** @file From a file to a row: read, decode, identify. What cannot become a row says why. */

import { readFile, stat } from "node:fs/promises";
import { FlywheelError, messageOf } from "../errors.ts";
import { type DecodedImage, decodeImage, identityOf } from "../image/decode.ts";
import { type RowId, rowId } from "../records.ts";
import type { Candidate, Refusal } from "./candidate.ts";

/** No photograph is larger; a disk image that was called .jpg must not fill the memory. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** What tells whether a file has changed since it was last read. */
export type Fingerprint = { readonly sizeBytes: number; readonly modifiedMs: number };

export type ReadImage = {
  readonly id: RowId;
  readonly bytes: Uint8Array;
  readonly image: Omit<DecodedImage, "rgb">;
  readonly fingerprint: Fingerprint;
};

/** The image, or why it cannot be one. Any other failure is thrown. */
export async function readImage({ path, source }: Candidate): Promise<ReadImage | Refusal> {
  try {
    const { bytes, fingerprint } = await readWhole(path);
    const { rgb, ...image } = await decodeImage(bytes);
    return { id: rowId(identityOf({ ...image, rgb })), bytes, image, fingerprint };
  } catch (thrown) {
    return { source, ...reasonOf(thrown) };
  }
}

/** The fingerprint is taken before the bytes: a file that changes meanwhile is read again next time. */
async function readWhole(path: string): Promise<Pick<ReadImage, "bytes" | "fingerprint">> {
  // Looked at before it is opened: to open a pipe could wait for ever.
  const stats = await stat(path);
  if (!stats.isFile()) throw new FlywheelError("file_unreadable", "it is not a file");
  if (stats.size > MAX_FILE_BYTES) {
    throw new FlywheelError("image_too_large", `the file has ${stats.size} bytes, more than ${MAX_FILE_BYTES}`);
  }
  const fingerprint = { sizeBytes: stats.size, modifiedMs: stats.mtimeMs };
  return { bytes: await readFile(path), fingerprint };
}

function reasonOf(thrown: unknown): Pick<Refusal, "code" | "message"> {
  if (FlywheelError.isInstance(thrown)) return { code: thrown.code, message: thrown.message };
  if (!(thrown instanceof Error && "syscall" in thrown)) throw thrown;
  const isMissing = "code" in thrown && thrown.code === "ENOENT";
  return { code: isMissing ? "file_missing" : "file_unreadable", message: messageOf(thrown) };
}
