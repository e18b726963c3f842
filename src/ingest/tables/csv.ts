/**
 * @file CSV, read by DuckDB: a first pass counts the rows and collects the lines that are none, the second gives the rows.
 * DuckDB does not say where a row stands, so that is counted along: blank lines, refused lines and line breaks in cells.
 */

import type { Refusal } from "../candidate.ts";
import { linesOf, PACKED_EXTENSION } from "./bytes.ts";
import { breaksIn, type CsvHead, readCsvHead } from "./csv-head.ts";
import { isRemote, openDuckDb, quoted, tableMalformed } from "./duckdb.ts";
import { notUtf8, tooLarge } from "./json-lines.ts";
import { toFields } from "./parquet.ts";
import { MAX_RECORD_BYTES, type Table, type TableFile, type TableItem } from "./table.ts";

/** @throws FlywheelError `table_empty`, `table_malformed` */
export async function openCsv(file: TableFile): Promise<Table> {
  const { path, source } = file;
  const head = await readCsvHead(path, source, file);
  const { rows, refused } = await survey(file, head);
  const blank = await blankLines(file, head);
  return {
    source,
    columns: head.columns,
    total: rows + refused.size,
    items: () => itemsOf({ file, head, refused, blank }),
  };
}

/** Read at once; DuckDB takes sixteen longest lines where nobody says. */
const BUFFER_BYTES = 2 * MAX_RECORD_BYTES;

/**
 * Refused lines are stored in both passes: merely ignoring errors, DuckDB 1.5 gives up the rest of the file after an
 * unclosed quote.
 */
const reader = ({ path }: TableFile, head: CsvHead): string => {
  const columns = head.columns.map((_, index) => `'c${index}': 'VARCHAR'`).join(", ");
  const { delimiter, quote, escape: escaper, encoding, lines, skipped } = head;
  const form = `delim = ${quoted(delimiter)}, quote = ${quoted(quote)}, escape = ${quoted(escaper)}, comment = '', header = ${lines > 0}, skip = ${skipped}, encoding = '${encoding}'`;
  return `read_csv(${quoted(path)}, auto_detect = false, columns = {${columns}}, ${form}, max_line_size = ${MAX_RECORD_BYTES}, buffer_size = ${BUFFER_BYTES}, store_rejects = true, rejects_table = 'refused')`;
};

/** A line that is no row. `number` counts rows and blank lines, not the breaks within cells. */
type RefusedRow = { readonly number: number; readonly type: string; readonly message: string; readonly breaks: number };

async function survey(file: TableFile, head: CsvHead) {
  await using database = await openDuckDb(file.path);
  try {
    // Every column is touched: what is not read is not checked.
    const touched = head.columns.map((_, index) => `count(c${index})`).join(", ");
    const [[rows] = []] = await database.all(`select count(*), ${touched} from ${reader(file, head)}`);
    const errors = await database.all(
      "select line, any_value(error_type), any_value(error_message), any_value(csv_line) from refused group by line",
    );
    const refused = errors.map(
      ([line, type, message, text]): RefusedRow => ({
        number: Number(line),
        type: String(type),
        message: String(message),
        breaks: breaksIn([String(text).trimEnd()]),
      }),
    );
    return { rows: Number(rows), refused: new Map(refused.map((row) => [row.number, row])) };
  } catch (thrown) {
    throw tableMalformed(file.source, thrown, "mend the file, or export it again as UTF-8 CSV, JSONL or Parquet");
  }
}

/** Numbers of the lines that hold nothing, as an editor counts. Packed files and object storage are not looked through. */
async function blankLines({ path }: TableFile, { columns, encoding }: CsvHead): Promise<ReadonlySet<number>> {
  const blank = new Set<number>();
  // In a table of one column a blank line is a row whose cell is missing.
  if (columns.length === 1 || encoding === "utf-16" || isRemote(path) || PACKED_EXTENSION.test(path)) return blank;
  for await (const { number, bytes } of linesOf(path, MAX_RECORD_BYTES)) if (bytes?.length === 0) blank.add(number);
  return blank;
}

type Reading = {
  readonly file: TableFile;
  readonly head: CsvHead;
  readonly refused: ReadonlyMap<number, RefusedRow>;
  readonly blank: ReadonlySet<number>;
};

async function* itemsOf({ file, head, refused, blank }: Reading): AsyncGenerator<TableItem> {
  await using database = await openDuckDb(file.path);
  const place = createPlace(file.source, head, { refused, blank });
  for await (const rows of database.stream(`select * from ${reader(file, head)}`)) {
    for (const cells of rows) {
      yield* place.refusals();
      yield { kind: "record", source: place.source(), fields: toFields(head.columns, cells) };
      place.pass(breaksIn(cells));
    }
  }
  yield* place.refusals();
}

/** Where the reader stands: `line` as an editor counts, `number` as DuckDB does. */
function createPlace(source: string, head: CsvHead, { refused, blank }: Pick<Reading, "refused" | "blank">) {
  let line = 1 + head.skipped + head.lines;
  let number = 1 + head.skipped + Math.min(1, head.lines);
  const here = () => `${source}:${line}`;
  const pass = (breaks: number) => {
    line += 1 + breaks;
    number++;
  };
  return {
    source: here,
    pass,
    *refusals(): Generator<TableItem> {
      while (blank.has(line) || refused.has(number)) {
        const row = refused.get(number);
        if (row && !blank.has(line)) yield toItem(row, here(), head);
        pass(blank.has(line) ? 0 : (row?.breaks ?? 0));
      }
    },
  };
}

function toItem({ type, message, breaks }: RefusedRow, source: string, { columns }: CsvHead): TableItem {
  const cells = /Found: (\d+)/.exec(message)?.[1];
  switch (type) {
    case "MISSING COLUMNS":
    case "TOO MANY COLUMNS":
      return refusedAs(source, "row_ragged", raggedMessage(cells, columns.length));
    case "INVALID ENCODING":
      return notUtf8(source);
    case "UNQUOTED VALUE":
      return refusedAs(
        source,
        "quote_unclosed",
        `a quote is opened and not closed, or text follows a closed one${swallowed(breaks)}: write quotes inside a quoted cell twice, give --quote none where cells are not quoted, or the right delimiter with --delimiter`,
      );
    case "LINE SIZE OVER MAXIMUM":
      return tooLarge(source);
    default:
      return refusedAs(source, "row_malformed", message.split("\n", 1)[0]!);
  }
}

/** How many lines they are DuckDB does not say: it shows the beginning of the row alone. */
const swallowed = (breaks: number): string =>
  breaks > 0 ? ", and lines after it are read as part of the cell, to the end of the file where no quote follows" : "";

const raggedMessage = (cells: string | undefined, columns: number): string =>
  `the row has ${cells ?? "another number of"} cells and the header ${columns}: quote cells that hold the delimiter, or give the right one with --delimiter`;

const refusedAs = (source: string, code: Refusal["code"], message: string): TableItem => ({
  kind: "refused",
  source,
  code,
  message,
});
