/**
 * @file Gets XGBoost's shared library where there is none: `pip`, through its ordinary client, unpacks the wheel into our
 * cache. Without the wheel's own dependencies, which only its Python part needs.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { FlywheelError } from "../errors.ts";
import { cacheFolder, type Environment, installedVersion, libraryIn, pythons } from "./find-library.ts";

/** The first is 5 MB and without code for graphics cards; the second is all there is for macOS. */
const packages = ["xgboost-cpu", "xgboost"];

const patienceMs = 300_000;

/**
 * The path of the library in the cache, fetched if it is not there yet. Interrupted, it leaves nothing behind that would be
 * taken for the library.
 * @throws FlywheelError `xgboost_install_failed` with what each attempt said
 */
export async function installXgboost(environment: Environment = process.env): Promise<string> {
  const folder = cacheFolder(environment);
  if (existsSync(libraryIn(folder))) return libraryIn(folder);
  const failures: string[] = [];
  for (const python of pythons(environment)) {
    for (const name of packages) {
      const failure = await unpack({ python, name, folder });
      if (failure === undefined) return libraryIn(folder);
      failures.push(`${python}, ${name}: ${failure}`);
    }
  }
  throw new FlywheelError("xgboost_install_failed", `pip did not bring XGBoost: ${failures.join("; ")}`, {
    hint: "needs Python 3.10 or newer with pip, and a network; or set FLYWHEEL_XGBOOST to the shared library",
    retryable: true,
  });
}

type Attempt = { readonly python: string; readonly name: string; readonly folder: string };

/** The reason of a failure, `undefined` for success. */
async function unpack({ python, name, folder }: Attempt): Promise<string | undefined> {
  const temporary = `${folder}.${process.pid}.tmp`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    const wheel = ["--only-binary", ":all:", "--no-deps", `${name}==${installedVersion}`];
    const quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1"];
    const { error, status, stderr } = spawnSync(
      python,
      ["-m", "pip", "install", ...quiet, "--target", temporary, ...wheel],
      {
        encoding: "utf8",
        timeout: patienceMs,
      },
    );
    if (error || status !== 0) return error?.message ?? lastLine(stderr);
    if (!existsSync(libraryIn(temporary))) return "the wheel holds no shared library for this platform";
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
    return undefined;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
