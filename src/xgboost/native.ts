/**
 * @file XGBoost's shared library behind typed functions. Every one of them may fail, and then says why in a variable of
 * its own thread: calls are made on the calling thread, never on Node's pool.
 */

import { existsSync } from "node:fs";
import koffi from "koffi";
import { FlywheelError, messageOf } from "../errors.ts";
import { type Environment, type LibraryPlace, libraryPlaces } from "./find-library.ts";
import { isTested, tryLibrary, versionBeside } from "./try-library.ts";

/** An address. Opaque: hand it back to the library. */
export type Pointer = bigint;
/** A one-element list that a function writes into. */
export type Out<T> = (T | undefined)[];

/** The part of XGBoost's C API (`c_api.h`) that we call; all of it is there since 1.6. */
const prototypes = {
  XGDMatrixCreateFromMat_omp:
    "const float *data, uint64_t rows, uint64_t columns, float missing, _Out_ void **out, int threads",
  XGDMatrixCreateFromCSR:
    "const char *starts, const char *indices, const char *values, uint64_t columns, const char *config, _Out_ void **out",
  XGDMatrixFree: "void *matrix",
  XGDMatrixSetFloatInfo: "void *matrix, const char *field, const float *values, uint64_t length",
  XGDMatrixSetStrFeatureInfo: "void *matrix, const char *field, const char **values, uint64_t length",
  XGBoosterCreate: "void **matrices, uint64_t count, _Out_ void **out",
  XGBoosterFree: "void *booster",
  XGBoosterSetParam: "void *booster, const char *name, const char *value",
  XGBoosterSetStrFeatureInfo: "void *booster, const char *field, const char **values, uint64_t length",
  XGBoosterUpdateOneIter: "void *booster, int iteration, void *matrix",
  XGBoosterEvalOneIter:
    "void *booster, int iteration, void **matrices, const char **names, uint64_t count, _Out_ const char **out",
  XGBoosterBoostedRounds: "void *booster, _Out_ int *out",
  XGBoosterSlice: "void *booster, int begin, int end, int step, _Out_ void **out",
  XGBoosterPredictFromDMatrix:
    "void *booster, void *matrix, const char *config, _Out_ void **shape, _Out_ uint64_t *dims, _Out_ void **out",
  XGBoosterFeatureScore:
    "void *booster, const char *config, _Out_ uint64_t *count, _Out_ void **names, _Out_ uint64_t *dims, _Out_ void **shape, _Out_ void **out",
  XGBoosterSaveModelToBuffer: "void *booster, const char *config, _Out_ uint64_t *length, _Out_ void **out",
  XGBoosterLoadModelFromBuffer: "void *booster, const uint8_t *data, uint64_t length",
} as const;

type Arguments = {
  XGDMatrixCreateFromMat_omp: [Float32Array, number, number, number, Out<Pointer>, number];
  XGDMatrixCreateFromCSR: [string, string, string, number, string, Out<Pointer>];
  XGDMatrixFree: [Pointer];
  XGDMatrixSetFloatInfo: [Pointer, string, Float32Array, number];
  XGDMatrixSetStrFeatureInfo: [Pointer, string, readonly string[], number];
  XGBoosterCreate: [readonly Pointer[], number, Out<Pointer>];
  XGBoosterFree: [Pointer];
  XGBoosterSetParam: [Pointer, string, string];
  XGBoosterSetStrFeatureInfo: [Pointer, string, readonly string[], number];
  XGBoosterUpdateOneIter: [Pointer, number, Pointer];
  XGBoosterEvalOneIter: [Pointer, number, readonly Pointer[], readonly string[], number, Out<string>];
  XGBoosterBoostedRounds: [Pointer, Out<number>];
  XGBoosterSlice: [Pointer, number, number, number, Out<Pointer>];
  XGBoosterPredictFromDMatrix: [Pointer, Pointer, string, Out<Pointer>, Out<number>, Out<Pointer>];
  XGBoosterFeatureScore: [Pointer, string, Out<number>, Out<Pointer>, Out<number>, Out<Pointer>, Out<Pointer>];
  XGBoosterSaveModelToBuffer: [Pointer, string, Out<number>, Out<Pointer>];
  XGBoosterLoadModelFromBuffer: [Pointer, Uint8Array, number];
};

export type XgboostLibrary = {
  readonly path: string;
  readonly by: LibraryPlace["by"];
  /** `3.2.0` */
  readonly version: string;
  /** @throws FlywheelError `xgboost_failed` with the library's own message */
  call<Name extends keyof Arguments>(name: Name, ...given: Arguments[Name]): void;
};

const loaded = new Map<string, XgboostLibrary>();

/**
 * The library, loaded once. @see libraryPlaces for where it is looked for
 * @throws FlywheelError `xgboost_missing`, or `xgboost_unusable` where `FLYWHEEL_XGBOOST` names something else
 */
export function loadXgboost(environment: Environment = process.env): XgboostLibrary {
  const key = JSON.stringify(
    ["FLYWHEEL_XGBOOST", "FLYWHEEL_PYTHON", "FLYWHEEL_CACHE"].map((name) => environment[name]),
  );
  const known = loaded.get(key);
  if (known) return known;
  const library = firstOf(libraryPlaces(environment));
  loaded.set(key, library);
  return library;
}

/** Whether it is on this machine. @throws FlywheelError `xgboost_unusable` */
export function hasXgboost(): boolean {
  try {
    loadXgboost();
    return true;
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown) && thrown.code === "xgboost_missing") return false;
    throw thrown;
  }
}

function firstOf(places: Iterable<LibraryPlace>): XgboostLibrary {
  const refused: string[] = [];
  for (const place of places) {
    try {
      return open(place);
    } catch (cause) {
      if (place.by === "environment") throw unusable(place, cause);
      if (FlywheelError.isInstance(cause)) refused.push(cause.message);
    }
  }
  const why = refused.length > 0 ? `no XGBoost that can be used is on this machine: ${refused.join("; ")}` : undefined;
  throw new FlywheelError("xgboost_missing", why ?? "XGBoost's shared library is not on this machine", {
    hint: "run `pip install xgboost-cpu` (macOS: `brew install xgboost`; in our repository: `make setup`), or set FLYWHEEL_XGBOOST to the library's path",
  });
}

function unusable({ path }: LibraryPlace, cause: unknown): FlywheelError {
  const hint = FlywheelError.isInstance(cause) ? cause.hint : undefined;
  return new FlywheelError("xgboost_unusable", `FLYWHEEL_XGBOOST is ${path}: ${messageOf(cause)}`, {
    hint:
      hint ??
      "name the shared library itself (libxgboost.so, libxgboost.dylib, xgboost.dll), of this machine's architecture",
    cause,
  });
}

/**
 * Loads a release that is tested, and any other once a process of its own has shown that it can be used. Where a file of a Python
 * package says which it is, it is not even loaded before that: two releases in one process share symbols.
 */
function open(place: LibraryPlace): XgboostLibrary {
  const isFile = place.by !== "system";
  if (isFile && existsSync(place.path) && !isTested(versionBeside(place.path))) tryLibrary(place.path);
  const library = bind(place);
  if (!isFile && !isTested(library.version)) tryLibrary(place.path);
  return library;
}

function bind({ path, by }: LibraryPlace): XgboostLibrary {
  const handle = loadPassive(path);
  const lastError = handle.func("const char *XGBGetLastError()");
  const functions = new Map(
    Object.entries(prototypes).map(([name, parameters]) => [name, handle.func(`int ${name}(${parameters})`)]),
  );
  return {
    path,
    by,
    version: versionOf(handle),
    call(name, ...given) {
      if (functions.get(name)?.(...given) === 0) return;
      throw new FlywheelError("xgboost_failed", `${name}: ${firstLines(String(lastError()))}`);
    },
  };
}

const waitPolicy = "OMP_WAIT_POLICY";

/**
 * Threads of OpenMP that wait for each other spin, unless they are told otherwise as it is loaded; beside other work that
 * means waiting for a thread that is not running. 50,000 × 28 numbers, 30 rounds, two threads on two cores that others use
 * too: 9 s spinning, 0.5 s not (one thread: 0.5 s). A policy that is set already is the user's.
 */
function loadPassive(path: string): ReturnType<typeof koffi.load> {
  const isOurs = process.env[waitPolicy] === undefined;
  if (isOurs) process.env[waitPolicy] = "passive";
  try {
    return koffi.load(path);
  } finally {
    if (isOurs) delete process.env[waitPolicy];
  }
}

function versionOf(handle: ReturnType<typeof koffi.load>): string {
  const parts: [number[], number[], number[]] = [[0], [0], [0]];
  handle.func("void XGBoostVersion(_Out_ int *major, _Out_ int *minor, _Out_ int *patch)")(...parts);
  return parts.flat().join(".");
}

/** Without the stack trace of the library's build. */
function firstLines(message: string): string {
  const [said = ""] = message.split(/\n[^\S\n]*(?:Stack trace|\[bt\])/);
  return said
    .replace(/^\[\d\d:\d\d:\d\d\] \S+:\d+: /, "")
    .replaceAll("\n", " ")
    .trim();
}

/** What a function has written into its list. */
export function written<T>(out: Out<T>): T {
  const [value] = out;
  if (value === undefined || value === null) throw new FlywheelError("xgboost_failed", "a call wrote no result");
  return value;
}

/**
 * Where an array lies and what it holds, as NumPy's array interface says it. Only for a call that copies at once: the
 * array has to be alive until it returns.
 */
export function arrayInterface(array: Int32Array | Float32Array): string {
  const typestr = array instanceof Float32Array ? "<f4" : "<i4";
  return `{"data": [${koffi.address(array)}, true], "shape": [${array.length}], "typestr": "${typestr}", "version": 3}`;
}

/** A copy of memory that the library will use again. */
export function copyOf(pointer: Pointer, lengthBytes: number): ArrayBuffer {
  return koffi.view(pointer, lengthBytes).slice(0);
}

/** A copy of `count` texts. */
export function textsAt(pointer: Pointer, count: number): readonly string[] {
  return koffi.decode(pointer, "const char *", count);
}
