/** @file Helpers that only tests of this folder import. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The path of a file of the shared test data, or `undefined` where that data is absent (tests then skip). */
export function sharedFile(path: string): string | undefined {
  const full = `${process.env["FLYWHEEL_SHARED"] ?? `${root}../shared`}/${path}`;
  return existsSync(full) ? full : undefined;
}
