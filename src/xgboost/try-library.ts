/**
 * @file Whether a shared library can be used under Node at all, found out in a process of its own. PyPI's builds of XGBoost 2
 * cannot: one frees with Node's allocator what it got from another, and the process ends, which no `catch` stops.
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { FlywheelError } from "../errors.ts";

/** Release lines that `test/golden/xgboost-matrix-*.json` and our tests have been run with, under Node. */
const tested = ["1.7", "3.0", "3.1", "3.2", "3.4"];

export function isTested(version: string | undefined): boolean {
  return version !== undefined && tested.includes(version.split(".").slice(0, 2).join("."));
}

/** What the Python package around a library says that it is, without loading it. */
export function versionBeside(path: string): string | undefined {
  try {
    return readFileSync(join(dirname(dirname(path)), "VERSION"), "utf8").trim();
  } catch {
    return undefined; // no Python package: the library has to say it itself
  }
}

/** A table, a round of training, a model saved and loaded: what we ask of it, in plain JavaScript. */
const trial = `
const koffi = require(process.argv[1]);
const library = koffi.load(process.argv[2]);
const call = (prototype) => library.func(prototype);
const check = (code) => { if (code !== 0) throw new Error(call("const char *XGBGetLastError()")()); };
const [matrix, booster, again, length, bytes] = [[null], [null], [null], [null], [null]];
check(call("int XGDMatrixCreateFromMat_omp(const float *d, uint64_t r, uint64_t c, float m, _Out_ void **out, int t)")(
  Float32Array.of(0, 1, 2, 3), 4, 1, NaN, matrix, 1));
check(call("int XGDMatrixSetFloatInfo(void *m, const char *f, const float *v, uint64_t n)")(
  matrix[0], "label", Float32Array.of(0, 0, 1, 1), 4));
const create = call("int XGBoosterCreate(void **m, uint64_t n, _Out_ void **out)");
const set = call("int XGBoosterSetParam(void *b, const char *name, const char *value)");
check(create([matrix[0]], 1, booster));
check(set(booster[0], "objective", "binary:logistic"));
check(set(booster[0], "nthread", "1"));
check(call("int XGBoosterUpdateOneIter(void *b, int i, void *m)")(booster[0], 0, matrix[0]));
check(call("int XGBoosterSaveModelToBuffer(void *b, const char *c, _Out_ uint64_t *n, _Out_ void **out)")(
  booster[0], '{"format": "ubj"}', length, bytes));
const saved = new Uint8Array(koffi.view(bytes[0], Number(length[0])).slice(0));
check(create([], 0, again));
check(call("int XGBoosterLoadModelFromBuffer(void *b, const uint8_t *d, uint64_t n)")(again[0], saved, saved.length));
const free = call("int XGBoosterFree(void *b)");
check(free(again[0]));
check(free(booster[0]));
check(call("int XGDMatrixFree(void *m)")(matrix[0]));
console.log("works");
`;

const patienceMs = 60_000;

/** @throws FlywheelError `xgboost_unusable` where the process that tried ended before it was through */
export function tryLibrary(path: string): void {
  const koffi = createRequire(import.meta.url).resolve("koffi");
  const { stdout, stderr, signal, error } = spawnSync(process.execPath, ["-e", trial, koffi, path], {
    encoding: "utf8",
    timeout: patienceMs,
  });
  if (stdout?.trim() === "works") return;
  const version = versionBeside(path);
  const how = error?.message ?? (signal ? `the process ends with ${signal}` : lastLine(stderr));
  throw new FlywheelError(
    "xgboost_unusable",
    `XGBoost${version ? ` ${version}` : ""} at ${path} fails a trial: ${how}`,
    {
      hint: "install another release: `pip install xgboost-cpu==3.2.0`; those of XGBoost 2 from PyPI cannot be used under Node",
    },
  );
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
