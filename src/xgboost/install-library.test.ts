import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cacheFolder, libraryIn, libraryPlaces } from "./find-library.ts";
import { installXgboost } from "./install-library.ts";

/** A `python` that does what `script` says; `$target` is the folder that pip is to install to. */
async function openFolder(script: string) {
  const folder = await mkdtemp(join(tmpdir(), "flywheel-pip-"));
  const python = join(folder, "python");
  await writeFile(
    python,
    `#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = --target ] && target=$2; last=$1; shift; done\n${script}\n`,
  );
  await chmod(python, 0o755);
  return {
    environment: { FLYWHEEL_PYTHON: python, FLYWHEEL_CACHE: join(folder, "cache") },
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

const unpacks = (content: string) =>
  `mkdir -p "$(dirname ${libraryIn('"$target"')})" && echo ${content} > ${libraryIn('"$target"')}`;

describe.skipIf(process.platform === "win32")("getting the library through pip", () => {
  test("unpacks the wheel into the cache, once", async () => {
    await using world = await openFolder(unpacks("library"));
    const path = await installXgboost(world.environment);
    expect(path).toBe(libraryIn(cacheFolder(world.environment)));
    expect(await readFile(path, "utf8")).toBe("library\n");
    await writeFile(path, "kept");
    expect(await readFile(await installXgboost(world.environment), "utf8")).toBe("kept");
    expect([...libraryPlaces(world.environment)].at(-1)).toEqual({ path, by: "cache" });
  });

  test("tries the package for other systems where the first is not to be had", async () => {
    await using world = await openFolder(`case $last in xgboost-cpu*) exit 1;; esac; ${unpacks("$last")}`);
    expect(await readFile(await installXgboost(world.environment), "utf8")).toMatch(/^xgboost==/);
  });

  test.each([
    ["pip fails", "echo 'no network' >&2; exit 1", /no network/],
    ["the wheel is of another kind", 'mkdir -p "$target"', /no shared library/],
  ])("says why where %s, and leaves nothing behind", async (_what, script, message) => {
    await using world = await openFolder(script);
    await expect(installXgboost(world.environment)).rejects.toMatchObject({
      code: "xgboost_install_failed",
      message: expect.stringMatching(message),
      retryable: true,
    });
    expect(await readdir(join(world.environment.FLYWHEEL_CACHE, "xgboost"))).toEqual([]);
  });

  test("a library that the environment names is the only place looked at", async () => {
    await using world = await openFolder("exit 1");
    await mkdir(cacheFolder(world.environment), { recursive: true });
    expect([...libraryPlaces({ ...world.environment, FLYWHEEL_XGBOOST: "/opt/libxgboost.so" })]).toEqual([
      { path: "/opt/libxgboost.so", by: "environment" },
    ]);
  });
});
