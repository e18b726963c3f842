/**
 * @file Where XGBoost's shared library may be, in the order in which it is looked for: `FLYWHEEL_XGBOOST`, the system's
 * loader (Debian's `libxgboost0`, Homebrew's `xgboost`), a Python installation that has `xgboost`, and the cache that
 * `installXgboost` fills.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** What `installXgboost` asks for. The C API that we call is the same since 1.6. */
export const installedVersion = "3.2.0";

export type Environment = Readonly<Record<string, string | undefined>>;

export type LibraryPlace = {
  readonly path: string;
  /** `environment`: named by the user, so that a failure to load it is an error and not a reason to look further. */
  readonly by: "environment" | "system" | "python" | "cache";
};

/** Lazily: asking Python takes 20 ms, and is not needed where the system has the library. */
export function* libraryPlaces(environment: Environment = process.env): Generator<LibraryPlace> {
  const named = environment["FLYWHEEL_XGBOOST"];
  if (named) return yield { path: named, by: "environment" };
  for (const path of systemNames()) yield { path, by: "system" };
  for (const path of pythonLibraries(environment)) yield { path, by: "python" };
  const cached = libraryIn(cacheFolder(environment));
  if (existsSync(cached)) yield { path: cached, by: "cache" };
}

function systemNames(): readonly string[] {
  switch (process.platform) {
    case "darwin":
      return ["libxgboost.dylib", "/opt/homebrew/lib/libxgboost.dylib", "/usr/local/lib/libxgboost.dylib"];
    case "win32":
      return ["xgboost.dll"];
    default:
      return ["libxgboost.so", "libxgboost.so.0"];
  }
}

/** `FLYWHEEL_PYTHON` where it is set, else the usual names. */
export function pythons({ FLYWHEEL_PYTHON: named }: Environment): readonly string[] {
  return named ? [named] : ["python3", "python"];
}

/** Finds the package without importing it, which would load NumPy and SciPy. */
const whereIsPackage = `
import importlib.util
spec = importlib.util.find_spec("xgboost")
if spec and spec.origin: print(spec.origin)
`;

function* pythonLibraries(environment: Environment): Generator<string> {
  for (const python of pythons(environment)) {
    const { stdout } = spawnSync(python, ["-c", whereIsPackage], { encoding: "utf8", timeout: 10_000 });
    const origin = stdout?.trim();
    const path = origin ? libraryIn(dirname(dirname(origin))) : undefined;
    if (path !== undefined && existsSync(path)) yield path;
  }
}

/** In a folder that Python packages lie in. */
export function libraryIn(folder: string): string {
  const names = { darwin: "libxgboost.dylib", win32: "xgboost.dll" } as const;
  const name =
    process.platform === "darwin" || process.platform === "win32" ? names[process.platform] : "libxgboost.so";
  return join(folder, "xgboost", "lib", name);
}

/** Beside the cache of weights: `FLYWHEEL_CACHE`, else `XDG_CACHE_HOME/flywheel`, else `~/.cache/flywheel`. */
export function cacheFolder({ FLYWHEEL_CACHE: own, XDG_CACHE_HOME: shared }: Environment = process.env): string {
  return join(own || join(shared || join(homedir(), ".cache"), "flywheel"), "xgboost", installedVersion);
}
