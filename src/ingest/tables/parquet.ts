/** @file Parquet, read by DuckDB. Numbers and booleans stay what they are; dates and times become ISO text; bytes are refused. */

import type { DuckDBValue } from "@duckdb/node-api";
import { FlywheelError } from "../../errors.ts";
import { type DuckDatabase, named, openDuckDb, quoted, tableMalformed } from "./duckdb.ts";
import type { Table, TableFile, TableItem } from "./table.ts";

export async function openParquet({ path, source }: TableFile): Promise<Table> {
  await using database = await openDuckDb(path);
  const columns = await describe(database, path, source);
  const [[count] = []] = await database.all(`select count(*) from read_parquet(${quoted(path)})`);
  const selected = columns.map(({ name, type }) => readable(name, type)).join(", ");
  return {
    source,
    columns: columns.map(({ name }) => name),
    total: Number(count),
    items: () => itemsOf({ path, source, selected, names: columns.map(({ name }) => name) }),
  };
}

type Column = { readonly name: string; readonly type: string };

async function describe(database: DuckDatabase, path: string, source: string): Promise<readonly Column[]> {
  try {
    const rows = await database.all(`describe select * from read_parquet(${quoted(path)})`);
    return rows.map(([name, type]) => ({ name: String(name), type: String(type) }));
  } catch (thrown) {
    throw tableMalformed(source, thrown, "check that the file is Parquet and was written to its end");
  }
}

/** Whole numbers beyond 2^53 keep their digits as text: they are identifiers. */
function readable(name: string, type: string): string {
  const column = named(name);
  if (/^(?:BOOLEAN|VARCHAR|DOUBLE|FLOAT|U?TINYINT|U?SMALLINT|U?INTEGER|BIGINT|UBIGINT)$/.test(type)) return column;
  if (type.startsWith("DECIMAL")) return `${column}::double as ${column}`;
  if (/^(?:STRUCT|MAP|JSON)|\[\d*\]$/.test(type)) return `to_json(${column})::varchar as ${column}`;
  if (type === "BLOB") {
    throw new FlywheelError("ingest_unsupported", `column "${name}" holds bytes`, {
      hint: "write images as files and list them, or leave the column out of the file",
    });
  }
  return `${column}::varchar as ${column}`;
}

type Reading = {
  readonly path: string;
  readonly source: string;
  readonly selected: string;
  readonly names: readonly string[];
};

async function* itemsOf({ path, source, selected, names }: Reading): AsyncGenerator<TableItem> {
  await using database = await openDuckDb(path);
  let number = 0;
  for await (const rows of database.stream(`select ${selected} from read_parquet(${quoted(path)})`)) {
    for (const cells of rows) {
      yield { kind: "record", source: `${source}:${++number}`, fields: toFields(names, cells) };
    }
  }
}

export function toFields(names: readonly string[], cells: readonly DuckDBValue[]): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (let index = 0; index < names.length; index++) fields[names[index]!] = cells[index];
  return fields;
}
