/** @file Which reader a table needs, by what its name says. */

import { extname } from "node:path";
import { linesOf, PACKED_EXTENSION } from "./bytes.ts";
import { openCsv } from "./csv.ts";
import { isRemote } from "./duckdb.ts";
import { openJson } from "./json-array.ts";
import { openJsonLines } from "./json-lines.ts";
import { openRemoteJson } from "./json-remote.ts";
import { openParquet } from "./parquet.ts";
import { MAX_RECORD_BYTES, type Table, type TableFile, type TableFormat } from "./table.ts";

const formats: Readonly<Record<string, TableFormat>> = {
  ".csv": "csv",
  ".tsv": "csv",
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".json": "json",
  ".parquet": "parquet",
  ".pq": "parquet",
};

/** Of a path or an address; undefined where its name does not say that it is a table. */
export function formatOf(path: string): TableFormat | undefined {
  const name = isRemote(path) ? (URL.parse(path)?.pathname ?? path) : path;
  return formats[extname(name.replace(PACKED_EXTENSION, "")).toLowerCase()];
}

/** @throws FlywheelError `table_empty`, `table_malformed`, `ingest_extension_missing`, `ingest_unsupported` */
export async function openTable(file: TableFile): Promise<Table> {
  switch (file.format) {
    case "csv":
      return await openCsv(file);
    case "parquet":
      return await openParquet(file);
    case "json":
      return await (isRemote(file.path) ? openRemoteJson(file) : openJson(file));
    case "jsonl":
      if (isRemote(file.path)) return await openRemoteJson(file);
      return await ((await isSpreadOut(file.path)) ? openJson(file) : openJsonLines(file));
    default:
      return file.format satisfies never;
  }
}

/** Whether what is called JSONL is a list, or objects over several lines, as pretty printers write them. */
async function isSpreadOut(path: string): Promise<boolean> {
  for await (const { bytes } of linesOf(path, MAX_RECORD_BYTES)) {
    const line = bytes
      ?.toString("utf8", 0, LONGEST_OPENING)
      .replace(/^\uFEFF/, "")
      .trim();
    if (line !== "") return line === "{" || line === "[" || /^\[\s*\{/.test(line ?? "");
  }
  return false;
}

const LONGEST_OPENING = 100;
