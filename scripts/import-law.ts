/**
 * @file Checks the import law (docs/architecture.md): stages meet in the store, so that each can be stopped, restarted and run
 * alone; the ground knows nothing of the stages, so that it can be read, tested and replaced alone.
 */

import { globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path";
import { parseSync } from "oxc-parser";

type Import = { readonly from: string; readonly to: string };

/** Rooms by the first folder below `src/`; a file beside the rooms is a room of its own. */
const ground = ["errors.ts", "cells", "math", "onnx", "image", "text", "xgboost"];
const nouns = [
  "records.ts",
  "budget.ts",
  "columns.ts",
  "task.ts",
  "label-spelling.ts",
  "answer-text.ts",
  "answer.ts",
  "fields.ts",
  "verdict.ts",
  "deferral.ts",
  "one-answer.ts",
  "committee.ts",
  "contracts.ts",
  "store/contract.ts",
];
const stages = ["ingest", "label", "review", "train", "calibrate", "route"];
/** The real clock and the version: values that any room may have, and that import nothing. */
const leaves = ["clock.ts", "version.ts"];

const roomOf = (path: string): string => (nouns.includes(path) ? path : (path.split("/")[0] ?? path));

/** What the files of a room may import of ours. Rooms that are not listed are doors: they may import any other but `cli`. */
function allowed(room: string): readonly string[] | undefined {
  if (room === "math" || leaves.includes(room)) return [];
  if (ground.includes(room)) return ground;
  if (nouns.includes(room)) return [...nouns, "errors.ts", "cells", "math"];
  if (room === "store" || stages.includes(room)) return [...nouns, ...ground, ...leaves];
  return undefined;
}

function breachOf({ from, to }: Import): string | undefined {
  const [here, there] = [roomOf(from), roomOf(to)];
  // The contracts import `clock.ts` for its type alone would be a cycle of rooms: leaves know contracts, not the reverse.
  if (here === there || (leaves.includes(here) && nouns.includes(there))) return undefined;
  const may = allowed(here);
  if (may && !may.includes(there))
    return `${from} imports ${to}: ${here} may import ${may.join(", ") || "nothing of ours"}`;
  return there === "cli" ? `${from} imports ${to}: nothing imports the command line` : undefined;
}

const isTest = (path: string): boolean => /\.test(-d)?\.ts$|-suite\.ts$|\/testing(\/|\.ts$)/.test(path);
const files = globSync("src/**/*.ts")
  .map((path) => path.slice("src/".length))
  .sort();

function specifiersOf(path: string): readonly string[] {
  const { module, errors } = parseSync(path, readFileSync(join("src", path), "utf8"));
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const reExports = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap((entry) => entry.moduleRequest ?? []),
  );
  return [...module.staticImports.map((one) => one.moduleRequest), ...reExports].map(({ value }) => value);
}

const specifiers = new Map(files.map((path) => [path, specifiersOf(path)]));
const imports: readonly Import[] = [...specifiers].flatMap(([from, wanted]) =>
  wanted.filter((one) => one.startsWith(".")).map((one) => ({ from, to: normalize(join(dirname(from), one)) })),
);

/** The product runs without the development tools: a package that it imports is in `dependencies`. */
function foreignBreaches(): readonly string[] {
  const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as { dependencies: Record<string, string> };
  const known = new Set([...Object.keys(dependencies), ...builtinModules]);
  return [...specifiers].flatMap(([from, wanted]) =>
    isTest(from)
      ? []
      : wanted
          .filter((one) => !one.startsWith(".") && !one.startsWith("node:"))
          .map((one) => one.split("/", one.startsWith("@") ? 2 : 1).join("/"))
          .filter((name) => !known.has(name))
          .map((name) => `${from} imports ${name}, which is not in dependencies`),
  );
}

/** Depth first; the first way back to a file under way is a cycle. */
function cycles(): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) found.push(`cycle: ${[...way.slice(way.indexOf(path)), path].join(" → ")}`);
    if (done.has(path) || way.includes(path)) return;
    for (const { from, to } of imports) if (from === path) visit(to, [...way, path]);
    done.add(path);
  };
  for (const path of files) visit(path, []);
  return found;
}

const breaches = [
  ...imports.filter(({ from }) => !isTest(from)).flatMap((one) => breachOf(one) ?? []),
  ...foreignBreaches(),
  ...cycles(),
];
for (const breach of breaches) console.error(breach);
console.log(`import law: ${files.length} files, ${imports.length} imports, ${breaches.length} breaches`);
process.exitCode = breaches.length > 0 ? 1 : 0;
