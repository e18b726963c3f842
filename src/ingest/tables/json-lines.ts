/** @file JSONL: an object a line. A line that is none is refused by its number; the rest goes on. */

import { isUtf8 } from "node:buffer";
import { messageOf } from "../../errors.ts";
import { linesOf } from "./bytes.ts";
import { MAX_RECORD_BYTES, type Table, type TableFile, type TableItem } from "./table.ts";

export async function openJsonLines({ path, source }: TableFile): Promise<Table> {
  return { source, total: await countLines(path), items: () => itemsOf(path, source) };
}

async function countLines(path: string): Promise<number> {
  let count = 0;
  for await (const { bytes } of linesOf(path, MAX_RECORD_BYTES)) if (!bytes || !isBlank(bytes)) count++;
  return count;
}

async function* itemsOf(path: string, source: string): AsyncGenerator<TableItem> {
  for await (const line of linesOf(path, MAX_RECORD_BYTES)) {
    const about = { source: `${source}:${line.number}`, what: "line" } as const;
    if (!line.bytes || !isBlank(line.bytes)) yield readBytes(line.bytes, about);
  }
}

export type About = {
  readonly source: string;
  /** What the bytes are in the file. */
  readonly what: "line" | "record";
};

/** @param bytes undefined where there were too many */
export function readBytes(bytes: Buffer | undefined, { source, what }: About): TableItem {
  if (!bytes) return tooLarge(source, what);
  if (!isUtf8(bytes)) return notUtf8(source, what);
  // A byte order mark: within the file, too, where files were put one behind the other.
  const text = bytes.toString().replace(/^\uFEFF/, "");
  try {
    return readObject(JSON.parse(text), source);
  } catch (thrown) {
    return {
      kind: "refused",
      source,
      code: "row_malformed",
      message: `the ${what} is no JSON: ${reasonOf(thrown, text)}`,
    };
  }
}

/** Why `text` is no JSON. Python writes numbers into it that JSON does not have; JavaScript's console prints objects otherwise. */
export function reasonOf(thrown: unknown, text: string): string {
  const reason = messageOf(thrown);
  if (isConsolePrint(text)) return `${reason}. ${CONSOLE_PRINT}`;
  const isNumber =
    /Unexpected token '[NI]'|No number after minus sign/.test(reason) && /[:[,]\s*-?(?:NaN|Infinity)\b/.test(text);
  return isNumber ? `${reason}. JSON has neither NaN nor Infinity: write null where a value is missing` : reason;
}

/** What `console.dir` writes, and with it OpenTelemetry's console exporter for Node. */
export const CONSOLE_PRINT =
  "This is what JavaScript's console prints of an object, which cannot be read back: write JSON instead (OTLP over HTTP or to a file, or JSON.stringify)";

/** A name without quotes before a colon: `{ traceId: '…'`, or a line of such an object. */
const isConsolePrint = (text: string): boolean =>
  /^\s{0,100}(?:\{\s{0,100})?(?:[A-Za-z_$][\w$]{0,100}|'[\w.-]{1,100}'): /.test(text);

export function readObject(value: unknown, source: string): TableItem {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return { kind: "record", source, fields: value as Readonly<Record<string, unknown>> };
  }
  const found = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
  return { kind: "refused", source, code: "row_malformed", message: `an object is expected, this is ${found}` };
}

const isBlank = (bytes: Buffer): boolean => bytes.every((byte) => byte === 32 || byte === 9 || byte === 13);

export const tooLarge = (source: string, what: About["what"] = "line"): TableItem => ({
  kind: "refused",
  source,
  code: "row_too_large",
  message: `the ${what} is longer than ${MAX_RECORD_BYTES / 2 ** 20} MiB: is a line break missing, or a quote not closed?`,
});

export const notUtf8 = (source: string, what: About["what"] = "line"): TableItem => ({
  kind: "refused",
  source,
  code: "invalid_utf8",
  message: `the ${what} is not UTF-8: save the file as UTF-8, or give its encoding, which of files from Windows is mostly --encoding windows-1252`,
});
