/** @file A model on disk: the `.onnx` file, and the files beside it that hold its tensors. */

import { readFile } from "node:fs/promises";
import { externalPaths, readExternalFiles } from "./external-data.ts";
import type { Model } from "./model.ts";
import { externalLocations, readOnnx, writeOnnx } from "./proto.ts";

/** @throws FlywheelError as `readOnnx`, `externalLocations` */
export async function readOnnxFile(path: string): Promise<Model> {
  const bytes = await readFile(path);
  return readOnnx(bytes, await readExternalFiles(path, externalLocations(bytes)));
}

/** The `.onnx` file's own path, then those of the files beside it, in order of name. @throws FlywheelError `onnx_external_data` */
export async function pathsOfOnnxFile(path: string): Promise<readonly string[]> {
  return [path, ...(await externalPaths(path, externalLocations(await readFile(path))))];
}

/** One file in place of several: the same model with all tensors inside. @throws FlywheelError as `readOnnx` */
export function selfContained(bytes: Uint8Array, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return files.size === 0 ? bytes : writeOnnx(readOnnx(bytes, files));
}
