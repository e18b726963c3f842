/** @file Parquet, read by DuckDB. Numbers and booleans stay what they are; dates and times become ISO text. */

import type { DuckDBValue } from "@duckdb/node-api";
import { type DuckDatabase, named, openDuckDb, quoted, tableMalformed } from "./duckdb.ts";
import type { Table, TableFile, TableItem } from "./table.ts";

export async function openParquet({ path, source }: TableFile): Promise<Table> {
  await using database = await openDuckDb(path);
  const columns = await describe(database, path, source);
  const [[count] = []] = await database.all(`select count(*) from read_parquet(${quoted(path)})`);
  const nested = columns.flatMap(({ name, type }) => {
    const what = nestedAs(type);
    return what ? [[name, what] as const] : [];
  });
  const selected = columns.map(({ name, type }) => readable(name, type)).join(", ");
  return {
    source,
    columns: columns.map(({ name }) => name),
    nested: Object.fromEntries(nested),
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

function nestedAs(type: string): string | undefined {
  if (type === "BLOB") return "bytes";
  if (/\[\d*\]$/.test(type)) return "lists";
  return /^(?:STRUCT|MAP|UNION|VARIANT)/.exec(type) ? "objects" : undefined;
}

/** Whole numbers beyond 2^53 keep their digits as text: they are identifiers. */
function readable(name: string, type: string): string {
  const column = named(name);
  if (/^(?:BOOLEAN|VARCHAR|DOUBLE|FLOAT|U?TINYINT|U?SMALLINT|U?INTEGER|BIGINT|UBIGINT)$/.test(type)) return column;
  if (type.startsWith("DECIMAL")) return `${column}::double as ${column}`;
  if (type === "BLOB") return `null as ${column}`;
  if (nestedAs(type) || type === "JSON") return `to_json(${column})::varchar as ${column}`;
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
