/** @file The first line of a CSV: how it is encoded, what separates its cells and what its columns are called. */

import { parse } from "csv-parse/sync";
import { FlywheelError, messageOf } from "../../errors.ts";
import { readHead } from "./bytes.ts";
import { isRemote, openDuckDb, quoted } from "./duckdb.ts";

export type CsvHead = {
  readonly encoding: "utf-8" | "utf-16";
  readonly delimiter: string;
  readonly columns: readonly string[];
  /** Lines of the header: a quoted name may run over several. */
  readonly lines: number;
};

/** Longest header, bytes. */
const HEAD_BYTES = 262_144;
const DELIMITERS = [",", ";", "\t", "|"];

/** @throws FlywheelError `table_empty`, `table_malformed` */
export async function readCsvHead(path: string, source: string, given?: string): Promise<CsvHead> {
  const bytes = isRemote(path) ? await remoteHead(path) : await readHead(path, HEAD_BYTES);
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16" : "utf-8";
  const text = bytes.toString(encoding === "utf-16" ? "utf16le" : "utf8").replace(/^\uFEFF/, "");
  if (text.trim() === "") throw new FlywheelError("table_empty", `${source} is empty`);
  if (mixesLineEnds(text)) throw malformed(source, "some of its lines end in CR LF, others in LF", lineEndHint);
  const delimiter = given ?? guessDelimiter(text);
  const columns = namesOf(headerOf(text, delimiter, source));
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice !== undefined) throw malformed(source, `two columns are called "${twice}"`, "rename one of them");
  return { encoding, delimiter, columns, lines: 1 + breaksIn(columns) };
}

const lineEndHint = "make them alike: dos2unix, or save it again from a spreadsheet as CSV UTF-8";

/** Whichever the header has most of; a person who knows better gives it. */
function guessDelimiter(text: string): string {
  const header = text.slice(0, text.search(/[\r\n]|$/)).replace(/"[^"]*"/g, "");
  const count = (delimiter: string) => header.split(delimiter).length;
  return DELIMITERS.reduce((best, other) => (count(other) > count(best) ? other : best));
}

function headerOf(text: string, delimiter: string, source: string): readonly string[] {
  try {
    const [header] = parse(text, { delimiter, to: 1, relax_column_count: true }) as readonly (readonly string[])[];
    if (header) return header;
  } catch (thrown) {
    throw malformed(source, `its header cannot be read: ${messageOf(thrown)}`, "check the quotes of the first line");
  }
  throw new FlywheelError("table_empty", `${source} is empty`);
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

/** Quoted cells may hold any line breaks: only what stands outside of quotes counts. */
function mixesLineEnds(text: string): boolean {
  const outside = text.replace(/"[^"]*"/g, "");
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
