/** @file Helpers that only tests of this folder import. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

const golden = join(import.meta.dirname, "../../../../test/golden");

/** Encoders of a few kilobytes, by `scripts/golden/encoders.py`. */
export const encoderFolder = (name: "network" | "static" | "static-quantised"): string =>
  join(golden, "encoders", name);

export const readGolden = (path: string) => JSON.parse(readFileSync(join(golden, path), "utf8"));
