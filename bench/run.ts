/**
 * @file Runs the benchmarks: `npm run bench -- NAME …`, or all of them. Each is a program of its own in this folder whose
 * last line is one JSON object `{ bar, figures, target, met }`. A bar that is not met is a result, not an error.
 */

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";

const folder = import.meta.dirname;
/** Helpers of a benchmark end in `-worker.ts`, `-support.ts`; only the rest are benchmarks. */
const known = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && file !== "run.ts" && !/-(worker|support)\.ts$/.test(file))
  .map((file) => basename(file, ".ts"));
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`unknown benchmark ${unknown.join(", ")}; known: ${known.join(", ")}`);
  process.exit(2);
}

let failed = false;
for (const name of asked.length > 0 ? asked : known) {
  console.log(`── ${name} ${"─".repeat(Math.max(0, 76 - name.length))}`);
  const { status } = spawnSync(process.execPath, [join(folder, `${name}.ts`)], { stdio: "inherit" });
  failed ||= status !== 0;
}
process.exitCode = failed ? 1 : 0;
