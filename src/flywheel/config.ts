/**
 * @file Finds and loads a workspace's task: `flywheel.config.ts`, `.mts`, `.js`, `.mjs` or `.json`, whose default export (or
 * whole content) is a task definition.
 */

import { access, readFile } from "node:fs/promises";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FlywheelError, messageOf } from "../errors.ts";
import { type AnyTask, parseAnyTask } from "../task.ts";
import { placeOf } from "./config-place.ts";

const configNames = ["flywheel.config.ts", "flywheel.config.mts", "flywheel.config.js", "flywheel.config.mjs"] as const;
const jsonName = "flywheel.config.json";

/**
 * @throws FlywheelError `config_missing`, `config_ambiguous` (more than one), `config_unreadable`, `invalid_task`
 */
export async function loadTask(directory: string): Promise<AnyTask> {
  const path = await findConfig(directory);
  return parseAnyTask(path.endsWith(".json") ? await readJson(path) : await importDefault(path));
}

/** The paths of all configs that lie there. */
export async function configsIn(directory: string): Promise<readonly string[]> {
  const candidates = [...configNames, jsonName].map((name) => join(directory, name));
  return (await Promise.all(candidates.map(exists))).flatMap((yes, index) => (yes ? [candidates[index]!] : []));
}

async function findConfig(directory: string): Promise<string> {
  const found = await configsIn(directory);
  if (found.length > 1) {
    throw new FlywheelError("config_ambiguous", `more than one config: ${found.join(", ")}`, {
      hint: "keep one of them",
    });
  }
  if (!found[0]) {
    throw new FlywheelError("config_missing", `no flywheel.config.ts or flywheel.config.json in ${directory}`, {
      hint: "run `flywheel init`, or name the workspace with --dir",
    });
  }
  return found[0];
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw await unreadable(path, cause);
  }
}

async function importDefault(path: string): Promise<unknown> {
  resolveOurselves();
  try {
    const module: { default?: unknown } = await import(pathToFileURL(path).href);
    if (module.default === undefined) throw new Error("it has no default export");
    return module.default;
  } catch (cause) {
    // A definition that defineTask() rejected while the file ran keeps its own code and hint.
    if (FlywheelError.isInstance(cause)) throw cause;
    throw await unreadable(path, cause);
  }
}

async function unreadable(path: string, cause: unknown): Promise<FlywheelError> {
  const source = await readFile(path, "utf8").catch(() => "");
  const place = placeOf(cause, path, source);
  const where = place ? `${path}:${place.line}:${place.column}` : path;
  return new FlywheelError("config_unreadable", `${where}: ${messageOf(cause)}`, {
    hint: "compare it with what `flywheel init` writes",
    cause,
  });
}

let resolving = false;

/** Lets a config file import "llm-flywheel" wherever it lies, even where the package is not installed beside it. */
function resolveOurselves(): void {
  if (resolving) return;
  resolving = true;
  const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
  const ourselves = new URL(`../index.${extension}`, import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "llm-flywheel" ? { url: ourselves, shortCircuit: true } : next(specifier, context),
  });
}
