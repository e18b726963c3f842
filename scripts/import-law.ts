/** @file Checks the import law of `.dependency-cruiser.cjs`, and prints nothing but violations. */

import { spawnSync } from "node:child_process";

// Its note that TypeScript 7 has no programmatic API yet goes to stderr on every run; the swc parser does the reading.
const { stdout, status } = spawnSync("npx", ["--no-install", "depcruise", "src"], { encoding: "utf8" });
const lines = stdout.split("\n").filter((line) => /^\s+error|violations/.test(line));
console.log(lines.join("\n"));
process.exitCode = status ?? 1;
