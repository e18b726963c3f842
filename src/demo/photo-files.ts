/** @file Photos and their gold labels as files, whole or not at all. */

import { access, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "csv-stringify/sync";

/** The folder of photos, and `gold.csv` beside it: `file,label`, file relative to the folder of `gold.csv`. */
export type FruitPhotos = { readonly photos: string; readonly gold: string };

/** Returns the path of the file. */
export async function writeGold(
  directory: string,
  rows: readonly { readonly file: string; readonly label: string }[],
): Promise<string> {
  const path = join(directory, "gold.csv");
  await writeWhole(path, stringify([...rows], { header: true, columns: ["file", "label"] }));
  return path;
}

/** Under a temporary name first: a file that is there is complete. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}

export async function fileExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
