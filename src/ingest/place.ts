/** @file What the user points at: a folder, a table or list, or an address. */

import { stat } from "node:fs/promises";
import { dirname, extname, normalize, resolve } from "node:path";
import { FlywheelError } from "../errors.ts";
import type { AnyTask } from "../task.ts";
import { TABLE_EXTENSION } from "./read-table.ts";
import { isRemote, withoutSecrets } from "./tables/duckdb.ts";
import { formatOf } from "./tables/open-table.ts";

/** `source` is the path as the user wrote it, `root` the folder that gold may be relative to. */
export type Place = {
  readonly kind: "folder" | "list" | "table" | "address";
  readonly path: string;
  readonly source: string;
  readonly root: string;
};

/** @throws FlywheelError `ingest_path_missing`, `ingest_unsupported` */
export async function locate(given: string, { input }: AnyTask): Promise<Place> {
  if (input !== "image" && isRemote(given)) {
    return { kind: "address", path: given, source: withoutSecrets(given), root: resolve(".") };
  }
  const path = resolve(given);
  const place = { path, source: normalize(given) };
  if (await isFolder(given, path, hintOf[input])) return { ...place, kind: "folder", root: path };
  if (input === "image" ? TABLE_EXTENSION.test(extname(path)) : formatOf(path)) {
    return { ...place, kind: input === "image" ? "list" : "table", root: dirname(path) };
  }
  throw input === "image" ? notAList(given) : notATable(given);
}

const hintOf = {
  image: "give a folder of images, or a CSV or JSONL that lists them",
  text: "give a CSV, JSONL, JSON or Parquet file, or a folder of text files",
  record: "give a CSV, JSONL, JSON or Parquet file",
} as const;

async function isFolder(given: string, path: string, hint: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new FlywheelError("ingest_path_missing", `there is nothing to read at ${given}`, { hint, cause });
  }
}

const notAList = (given: string): FlywheelError =>
  new FlywheelError("ingest_unsupported", `${given} is neither a folder nor a list of images`, {
    hint: "give the folder that the file is in, or a .csv, .tsv or .jsonl that lists the files",
  });

const notATable = (given: string): FlywheelError =>
  new FlywheelError("ingest_unsupported", `${given} is no table by its name`, {
    hint: "give a .csv, .tsv, .jsonl, .json or .parquet (.gz and .zst too), a folder of them, or a folder of .txt and .md",
  });
