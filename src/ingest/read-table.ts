/**
 * @file CSV and JSONL as a stream of records with their line numbers, so that every complaint can name its line.
 */

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { pipeline } from "node:stream";
import { parse } from "csv-parse";
import { FlywheelError, messageOf } from "../errors.ts";
import { SEPARATOR_LINE } from "./tables/csv-head.ts";
import { asUtf8 } from "./tables/encoding.ts";
import type { TableForm } from "./tables/table.ts";

export type TableRecord = {
  /** Where the record ends, counted from 1. */
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** What a user may say of such a file. */
export type ListForm = Pick<TableForm, "encoding">;

export const TABLE_EXTENSION = /^\.(csv|tsv|jsonl|ndjson)$/i;

/** Longest header line that the delimiter is guessed from, in bytes. */
const HEADER_BYTES = 65_536;

/**
 * The records of a file whose extension says its format. Column names lose surrounding white space and case.
 * @throws FlywheelError `table_malformed` naming the line
 */
export async function* readTable(path: string, { encoding }: ListForm = {}): AsyncGenerator<TableRecord> {
  const format = /^\.(jsonl|ndjson)$/i.test(extname(path)) ? "jsonl" : "csv";
  await using copy = await asUtf8({ path, source: path, format, encoding });
  yield* format === "jsonl" ? readJsonLines(copy.file.path) : readCsv(copy.file.path);
}

async function* readCsv(path: string): AsyncGenerator<TableRecord> {
  const { delimiter, skipped } = await headOf(path);
  const parser = parse({
    bom: true,
    columns: (header: readonly string[]) => header.map(toColumn),
    delimiter,
    from_line: 1 + skipped,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  });
  // A failure of either end reaches the loop below through the parser.
  pipeline(createReadStream(path), parser, () => undefined);
  try {
    for await (const { record, info } of parser) yield { line: info.lines, fields: record };
  } catch (thrown) {
    throw malformed(path, messageOf(thrown), thrown);
  }
}

async function* readJsonLines(path: string): AsyncGenerator<TableRecord> {
  await using file = await open(path);
  let line = 0;
  for await (const given of file.readLines()) {
    line++;
    const text = given.replace("\uFEFF", "").trim();
    if (text !== "") yield { line, fields: parseObject(path, line, text) };
  }
}

function parseObject(path: string, line: number, text: string): TableRecord["fields"] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw malformed(path, `${messageOf(thrown)} on line ${line}`, thrown);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(path, `expected an object on line ${line}`);
  }
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [toColumn(name), field]));
}

/** Comma, semicolon (spreadsheets in much of Europe) or tab: whichever the header line has most of. */
async function headOf(path: string): Promise<{ readonly delimiter: string; readonly skipped: number }> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
  const text = buffer.toString("utf8", 0, bytesRead).replace("\uFEFF", "");
  const separator = SEPARATOR_LINE.exec(text)?.[1];
  if (separator !== undefined) return { delimiter: separator, skipped: 1 };
  const header = buffer.toString("utf8", 0, bytesRead).split(/\r?\n/, 1)[0] ?? "";
  const counts = [",", ";", "\t"].map((delimiter) => [header.split(delimiter).length, delimiter] as const);
  return { delimiter: counts.toSorted(([a], [b]) => b - a)[0]![1], skipped: 0 };
}

const toColumn = (name: string): string => name.trim().toLowerCase();

function malformed(path: string, reason: string, cause?: unknown): FlywheelError {
  return new FlywheelError("table_malformed", `${path} cannot be read as a table: ${reason}`, {
    hint: "mend the file, or export it again as UTF-8 CSV or JSONL",
    cause,
  });
}

/**
 * The first of `names` that the record has as a column.
 * @throws FlywheelError `table_column_missing`
 */
export function columnOf(
  path: string,
  { fields }: TableRecord,
  names: readonly string[],
  hint = `name the column ${names[0]}`,
): string {
  const column = names.find((name) => name in fields);
  if (column !== undefined) return column;
  throw columnMissing(path, Object.keys(fields), names, hint);
}

export function columnMissing(
  source: string,
  columns: readonly string[],
  wanted: readonly string[],
  hint: string,
): FlywheelError {
  const only = columns.length === 1 ? "; where several are meant, give the delimiter with --delimiter" : "";
  return new FlywheelError(
    "table_column_missing",
    `${source} has no column ${wanted.join(", ")}; its columns are ${columns.join(", ")}`,
    { hint: `${hint}${only}` },
  );
}

/** Columns that may hold the path of an image, ours first; `file_name` is Hugging Face's. */
export const FILE_COLUMNS = ["file", "path", "image", "file_name", "filename"];
