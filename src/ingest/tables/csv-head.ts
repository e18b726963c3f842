/** @file The first line of a CSV: how it is encoded, what separates its cells and what its columns are called. */

import { parse } from "csv-parse/sync";
import { FlywheelError, messageOf } from "../../errors.ts";
import { readHead } from "./bytes.ts";
import { isRemote, openDuckDb, quoted } from "./duckdb.ts";
import { looksLikeData } from "./missing-header.ts";
import type { TableForm } from "./table.ts";

export type CsvHead = {
  readonly encoding: "utf-8" | "utf-16";
  readonly delimiter: string;
  /** Empty: cells are not quoted. */
  readonly quote: string;
  readonly escape: string;
  readonly columns: readonly string[];
  /** Lines of the header: a quoted name may run over several; 0 where there is none. */
  readonly lines: number;
  /** Lines before the header: `sep=;`. */
  readonly skipped: number;
};

/** Longest header, bytes. */
const HEAD_BYTES = 262_144;
const DELIMITERS = [",", ";", "\t", "|"];

/** What spreadsheets write to tell each other the delimiter. */
export const SEPARATOR_LINE = /^sep=(.)\r?\n/i;

/** @throws FlywheelError `table_empty`, `table_malformed`, `header_missing` */
export async function readCsvHead(path: string, source: string, form: TableForm = {}): Promise<CsvHead> {
  const bytes = isRemote(path) ? await remoteHead(path) : await readHead(path, HEAD_BYTES);
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16" : "utf-8";
  const all = bytes.toString(encoding === "utf-16" ? "utf16le" : "utf8").replace(/^\uFEFF/, "");
  const separator = SEPARATOR_LINE.exec(all);
  const text = all.slice(separator?.[0].length ?? 0);
  if (text.trim() === "") throw new FlywheelError("table_empty", `${source} is empty`);
  const quote = form.quote === "none" ? "" : (form.quote ?? '"');
  if (mixesLineEnds(text, quote)) throw malformed(source, "some of its lines end in CR LF, others in LF", lineEndHint);
  const delimiter = form.delimiter ?? separator?.[1] ?? guessDelimiter(text, quote);
  const how = { delimiter, quote, escape: quote === "" ? "" : (form.escape ?? quote) };
  const [first, ...rows] = firstRows(text, how, source);
  if (form.header === undefined && looksLikeData(first, rows)) throw headerMissing(source, first);
  const columns = form.header === false ? first.map((_, index) => `c${index + 1}`) : namesOf(first);
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice !== undefined) throw malformed(source, `two columns are called "${twice}"`, "rename one of them");
  const lines = form.header === false ? 0 : 1 + breaksIn(columns);
  return { encoding, ...how, columns, lines, skipped: separator ? 1 : 0 };
}

const lineEndHint = "make them alike: dos2unix, or save it again from a spreadsheet as CSV UTF-8";

/** Whichever the header has most of; a person who knows better gives it. */
function guessDelimiter(text: string, quote: string): string {
  const header = withoutQuoted(text.slice(0, text.search(/[\r\n]|$/)), quote);
  const count = (delimiter: string) => header.split(delimiter).length;
  return DELIMITERS.reduce((best, other) => (count(other) > count(best) ? other : best));
}

const headerMissing = (source: string, first: readonly string[]): FlywheelError =>
  new FlywheelError("header_missing", `the first line of ${source} reads like data: ${first.slice(0, 6).join(", ")}`, {
    hint: "give --header no where it has no header (its columns are then called c1, c2, …), or --header yes where these are names",
  });

/** Rows below the header that tell whether it is one. */
const PEEKED = 20;

type Rows = readonly [readonly string[], ...(readonly (readonly string[])[])];

function firstRows(text: string, how: Pick<CsvHead, "delimiter" | "quote" | "escape">, source: string): Rows {
  const [header] = parseRows(text, how, source, 1);
  if (!header) throw new FlywheelError("table_empty", `${source} is empty`);
  try {
    return [header, ...parseRows(text, how, source, PEEKED).slice(1)];
  } catch {
    // Rows that cannot be read are refused one by one later: they say nothing of the header.
    return [header];
  }
}

function parseRows(
  text: string,
  { delimiter, quote, escape: escaper }: Pick<CsvHead, "delimiter" | "quote" | "escape">,
  source: string,
  to: number,
): readonly (readonly string[])[] {
  const quotes = quote === "" ? { quote: false } : { quote, escape: escaper };
  try {
    return parse(text, { delimiter, to, relax_column_count: true, trim: true, ...quotes }) as readonly string[][];
  } catch (thrown) {
    throw malformed(source, `its header cannot be read: ${messageOf(thrown)}`, "check the quotes of the first line");
  }
}

const namesOf = (header: readonly string[]): readonly string[] =>
  header.map((name, index) => name.trim() || `column ${index + 1}`);

/** Line breaks inside cells. */
export function breaksIn(cells: readonly unknown[]): number {
  let breaks = 0;
  for (const cell of cells) {
    if (typeof cell === "string" && /[\r\n]/.test(cell)) breaks += cell.match(/\r\n|\r|\n/g)?.length ?? 0;
  }
  return breaks;
}

function withoutQuoted(text: string, quote: string): string {
  if (quote === "") return text;
  const pieces = text.split(quote);
  // After a last quote that nothing closes, all that follows stays.
  return pieces.filter((_, index) => index % 2 === 0 || index === pieces.length - 1).join("");
}

/** Quoted cells may hold any line breaks: only what stands outside of quotes counts. */
function mixesLineEnds(text: string, quote: string): boolean {
  const outside = withoutQuoted(text, quote);
  return outside.includes("\r\n") && /[^\r]\n/.test(outside);
}

/** The first row as DuckDB reads it, put together again. */
async function remoteHead(path: string): Promise<Buffer> {
  await using database = await openDuckDb(path);
  const [[head] = []] = await database.all(
    `select columns from (select Delimiter, Columns::json::varchar as columns from sniff_csv(${quoted(path)}))`,
  );
  const names = (JSON.parse(String(head ?? "[]")) as readonly { readonly name: string }[]).map(({ name }) => name);
  return Buffer.from(`${names.map((name) => JSON.stringify(name)).join(",")}\n`);
}

function malformed(source: string, reason: string, hint: string): FlywheelError {
  return new FlywheelError("table_malformed", `${source} cannot be read as a table: ${reason}`, { hint });
}
