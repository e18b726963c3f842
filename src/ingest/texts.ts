/** @file Texts and records as inputs: a table, a folder of tables and text files, or an address. */

import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { FlywheelError } from "../errors.ts";
import type { SeenFile } from "../store/contract.ts";
import type { Candidate, Finding } from "./candidate.ts";
import { createColumnProfile } from "./column-profile.ts";
import { createGoldReader } from "./gold-cell.ts";
import { isUnchanged, withKnown } from "./images.ts";
import type { IngestOptions } from "./ingest-options.ts";
import type { LogReader } from "./logs/log-reader.ts";
import { isTableFormat, logFormatOf, openLog } from "./logs/open-log.ts";
import type { InputSource, Outcome } from "./outcome.ts";
import type { Place } from "./place.ts";
import { fingerprintOf, orRefusal } from "./read-image.ts";
import { textContent, toRow } from "./read-row.ts";
import { createColumnReader, type RecordReader, refusedAs } from "./record-reader.ts";
import { download } from "./tables/download.ts";
import { asUtf8 } from "./tables/encoding.ts";
import { formatOf, openTable } from "./tables/open-table.ts";
import type { Table, TableFile, TableItem, TableRecord } from "./tables/table.ts";
import { walkFolder } from "./walk-folder.ts";

const TEXT_FILE = /\.(?:txt|text|md)$/i;
const TABLE_FILE = /\.(?:csv|tsv|jsonl|ndjson|json|parquet|pq)(?:\.gz|\.zst)?$/i;
const ANY_FILE = /\.(?:txt|text|md|(?:csv|tsv|jsonl|ndjson|json|parquet|pq)(?:\.gz|\.zst)?)$/i;
/** Records looked at before the first row is written. */
const SAMPLE = 500;

export function openTexts(place: Place, options: IngestOptions): InputSource {
  const gold = createGoldReader(options.task);
  const profile = createColumnProfile(options.task);
  let total: number | undefined;
  let reader: RecordReader | undefined;
  let log: LogReader | undefined;

  async function openReader(file: TableFile, table: Table, records: readonly TableRecord[]): Promise<RecordReader> {
    const format = logFormatOf(options, file, records);
    if (format) {
      log = await openLog({ file, format }, options);
      return log;
    }
    const columns = table.columns ?? columnsOf(records);
    return createColumnReader({ ...table, columns, records }, { gold, profile }, options);
  }

  async function* tableOutcomes(given: TableFile): AsyncGenerator<Outcome> {
    await using copy = await asUtf8(given);
    const { file } = copy;
    const table = await openTable(file);
    if (place.kind !== "folder") total = table.total;
    const { items, records } = await peek(table);
    if (records.length > 0) reader = await openReader(file, table, records);
    for await (const item of items) {
      if (options.signal?.aborted) return;
      if (item.kind === "refused") yield item;
      else yield* readOr(reader!, item);
    }
  }

  async function* folderOutcomes(): AsyncGenerator<Outcome> {
    const wanted = options.task.input === "text" ? ANY_FILE : TABLE_FILE;
    for await (const { finding, seen } of withKnown(walkFolder(place, wanted), options)) {
      if (finding.kind !== "file") yield finding;
      else if (TEXT_FILE.test(finding.path)) yield await textFileOutcome(finding, seen, options);
      else yield* tableOutcomes(tableFile(finding, options));
    }
  }

  async function* addressOutcomes(): AsyncGenerator<Outcome> {
    if (!/^https?:/i.test(place.path)) return yield* tableOutcomes(tableFile(place, options));
    await using copy = await download(place.path, options);
    yield* tableOutcomes({ ...tableFile(place, options), path: copy.path });
  }

  return {
    root: place.root,
    get total() {
      return total;
    },
    outcomes() {
      if (place.kind === "folder") return folderOutcomes();
      return place.kind === "address" ? addressOutcomes() : tableOutcomes(tableFile(place, options));
    },
    columns: () => reader?.seen(),
    gold: gold.problems,
    log: () => log?.summary(),
  };
}

function readOr(reader: RecordReader, record: TableRecord): readonly Outcome[] {
  try {
    return reader.read(record);
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return [refusedAs(record.source, withHint(thrown))];
    throw thrown;
  }
}

/** The list of refused rows is all that a person reads of them: it says how to mend them, too. */
const withHint = ({ code, message, hint }: FlywheelError) => ({
  code,
  message: hint ? `${message}: ${hint}` : message,
});

/** @throws FlywheelError `ingest_unsupported` where neither the name nor the user says what it is */
function tableFile({ path, source }: Candidate, options: IngestOptions): TableFile {
  const { format, quote, escape: escaper, header, encoding } = options;
  const known = isTableFormat(format) ? format : (formatOf(path) ?? (format && "jsonl"));
  const delimiter = options.delimiter ?? (/\.tsv\b/i.test(path) ? "\t" : undefined);
  if (known) return { path, source, format: known, delimiter, quote, escape: escaper, header, encoding };
  throw new FlywheelError("ingest_unsupported", `${source} does not say what kind of table it is`, {
    hint: "give --format csv, jsonl, json or parquet",
  });
}

type Peeked = { readonly records: readonly TableRecord[]; readonly items: AsyncGenerator<TableItem> };

/** The first records, and all items again from the start. */
async function peek(table: Table): Promise<Peeked> {
  const rest = table.items();
  const first: TableItem[] = [];
  let ended = false;
  while (first.length < SAMPLE && !ended) {
    const { value, done } = await rest.next();
    if (done) ended = true;
    else first.push(value);
  }
  async function* all() {
    yield* first;
    if (!ended) yield* rest;
  }
  return { records: first.filter((item) => item.kind === "record"), items: all() };
}

/** JSON says what its columns are record by record. */
const columnsOf = (records: readonly TableRecord[]): readonly string[] => [
  ...new Set(records.flatMap(({ fields }) => Object.keys(fields))),
];

async function textFileOutcome(
  finding: Extract<Finding, { kind: "file" }>,
  seen: SeenFile | undefined,
  options: IngestOptions,
): Promise<Outcome> {
  const { path, source } = finding;
  const fingerprint = await orRefusal(source, () => fingerprintOf(path));
  if ("code" in fingerprint) return { kind: "refused", ...fingerprint };
  if (isUnchanged(seen, fingerprint)) return { kind: "unchanged" };
  const content = await orRefusal(source, async () => textContent(decode(await readFile(path)), "the file"));
  if ("code" in content) return { kind: "refused", ...content };
  return { kind: "row", row: toRow(content, source, options), file: { path, rowId: content.id, ...fingerprint } };
}

function decode(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString().replace(/^\uFEFF/, "");
  throw new FlywheelError("invalid_utf8", "the file is not UTF-8: convert it (iconv -f latin1 -t utf-8)");
}
