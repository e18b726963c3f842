import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { libraryIn } from "./find-library.ts";
import { loadXgboost } from "./native.ts";
import { library, needsLibrary } from "./testing.ts";
import { isTested, tryLibrary, versionBeside } from "./try-library.ts";

test("release lines are told apart by major and minor", () => {
  expect(["1.7.4", "3.0.5", "3.2.0", "3.4.1"].every(isTested)).toBe(true);
  expect(["2.0.3", "2.1.4", "3.30.0", undefined].some(isTested)).toBe(false);
});

test.skipIf(!library)(`a library that works passes its trial${needsLibrary}`, () => {
  expect(() => tryLibrary(library!.path)).not.toThrow();
});

async function openPackage(version: string) {
  const folder = await mkdtemp(join(tmpdir(), "flywheel-library-"));
  const path = libraryIn(folder);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, "no library");
  await chmod(path, 0o755);
  await writeFile(join(folder, "xgboost", "VERSION"), `${version}\n`);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

test("a release that is not tested is tried in a process of its own, and refused by its version if that fails", async () => {
  await using world = await openPackage("2.1.4");
  expect(versionBeside(world.path)).toBe("2.1.4");
  expect(() => loadXgboost({ FLYWHEEL_XGBOOST: world.path })).toThrow(
    expect.objectContaining({
      code: "xgboost_unusable",
      message: expect.stringMatching(/XGBoost 2\.1\.4 .* fails a trial/),
      hint: expect.stringContaining("XGBoost 2 from PyPI"),
    }),
  );
});
