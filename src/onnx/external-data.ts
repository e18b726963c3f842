/**
 * @file Tensors whose bytes lie in files beside the model: PyTorch's exporter writes `NAME.onnx.data` by default. A file of a
 * model is somebody else's word, so it may name files of its own folder only, and no more than one model may hold.
 *
 * Format: onnx/onnx `docs/ExternalData.md`: `location` (a relative POSIX path), `offset` and `length` in bytes.
 */

import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, posix, sep, win32 } from "node:path";
import { FlywheelError, messageOf } from "../errors.ts";

/** The bytes of each file beside the model, by its `location`. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

export const noExternalFiles: ExternalFiles = new Map();

/** Where a tensor's bytes lie. `length` is absent where the file leaves it to the tensor's shape. */
export type ExternalReference = {
  readonly location: string;
  readonly offset: number;
  readonly length: number | undefined;
};

/** Bytes: one protobuf message, and so one self-contained `.onnx` file, holds no more. */
export const MAX_EXTERNAL_BYTES = 2 ** 31 - 1;

/** Files beside one model. Exporters write one, or one a tensor. */
const MAX_EXTERNAL_FILES = 4096;

/** @throws FlywheelError `onnx_external_data` where the entries are no place in the model's own folder */
export function externalReference(
  entries: readonly { readonly key: string; readonly value: string }[],
  where: string,
): ExternalReference {
  const entryOf = (key: string): string | undefined => entries.find((entry) => entry.key === key)?.value;
  const length = entryOf("length");
  return {
    location: checkedLocation(entryOf("location") ?? "", where),
    offset: byteCount(entryOf("offset") ?? "0", where),
    length: length === undefined ? undefined : byteCount(length, where),
  };
}

function checkedLocation(location: string, where: string): string {
  const isOutside = isAbsolute(location) || win32.isAbsolute(location) || location.split(/[\\/]/).includes("..");
  if (location !== "" && !isOutside && !/[\\\0]/.test(location)) return posix.normalize(location);
  throw refused(`tensor "${where}" lies in ${JSON.stringify(location)}, which is no path inside the model's folder`);
}

function byteCount(digits: string, where: string): number {
  const count = Number(digits);
  if (/^\d+$/.test(digits) && count <= MAX_EXTERNAL_BYTES) return count;
  throw refused(`tensor "${where}" begins or ends at byte ${JSON.stringify(digits)} of its file`);
}

/** A tensor's bytes: a view. @throws FlywheelError `onnx_external_data` where the files do not hold them */
export function externalBytes(
  { location, offset, length }: ExternalReference,
  { files, sizeBytes, where }: { readonly files: ExternalFiles; readonly sizeBytes: number; readonly where: string },
): Uint8Array {
  const file = files.get(location);
  if (!file) throw refused(`tensor "${where}" lies in the file ${location}, which was not given`);
  const end = offset + (length ?? sizeBytes);
  if (end <= file.byteLength) return file.subarray(offset, end);
  throw refused(`tensor "${where}" ends at byte ${end} of ${location}, which has ${file.byteLength}`);
}

/**
 * The distinct locations, in order of name.
 * @throws FlywheelError `onnx_external_data` for more files or bytes than one model may hold
 */
export function locationsOf(references: readonly ExternalReference[]): readonly string[] {
  const locations = [...new Set(references.map(({ location }) => location))].toSorted();
  const bytes = references.reduce((sum, { length = 0 }) => sum + length, 0);
  if (locations.length > MAX_EXTERNAL_FILES) throw refused(`the model lies in ${locations.length} files`);
  if (bytes > MAX_EXTERNAL_BYTES) throw refused(`the tensors outside the model are ${bytes} bytes long`);
  return locations;
}

/**
 * The paths of the files beside a model, symbolic links followed.
 * @throws FlywheelError `onnx_external_data` for one that is missing, no file, or outside the model's folder
 */
export async function externalPaths(modelPath: string, locations: readonly string[]): Promise<readonly string[]> {
  const folder = dirname(modelPath);
  return await Promise.all(locations.map((location) => insidePath(folder, location)));
}

async function insidePath(folder: string, location: string): Promise<string> {
  try {
    const [root, path] = await Promise.all([realpath(folder), realpath(join(folder, location))]);
    const isInside = path.startsWith(root.endsWith(sep) ? root : root + sep);
    if (!isInside) throw refused(`${join(folder, location)} is a link to ${path}, outside the model's folder`);
    if (!(await stat(path)).isFile()) throw refused(`${path} is no file`);
    return path;
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) throw thrown;
    throw refused(`the model's weights lie in ${join(folder, location)}: ${messageOf(thrown)}`, thrown);
  }
}

/** @throws FlywheelError `onnx_external_data` */
export async function readExternalFiles(modelPath: string, locations: readonly string[]): Promise<ExternalFiles> {
  const paths = await externalPaths(modelPath, locations);
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > MAX_EXTERNAL_BYTES) throw refused(`the files beside ${modelPath} are ${total} bytes long`);
  const files = await Promise.all(paths.map((path) => readFile(path)));
  return new Map(locations.map((location, at) => [location, files[at]!]));
}

function refused(why: string, cause?: unknown): FlywheelError {
  return new FlywheelError("onnx_external_data", `tensors lie outside the model's file: ${why}`, {
    hint: "keep the .onnx file and its .data file in one folder, as exported (at most 2 GB), or export with external_data=False",
    cause,
  });
}
