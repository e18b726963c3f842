/** @file A file under its name only when it is complete. */

import { rename, writeFile } from "node:fs/promises";

export async function writeWhole(path: string, content: string): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}
