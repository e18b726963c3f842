/** @file JSON in object storage, a list of objects or objects one after another, read by DuckDB: what is no JSON ends the file. */

import { openDuckDb, quoted, tableMalformed } from "./duckdb.ts";
import { readObject, reasonOf } from "./json-lines.ts";
import { MAX_RECORD_BYTES, type Table, type TableFile, type TableItem } from "./table.ts";

export async function openRemoteJson({ path, source, format }: TableFile): Promise<Table> {
  const shape = format === "jsonl" ? "newline_delimited" : "auto";
  const objects = `read_json_objects(${quoted(path)}, format = '${shape}', maximum_object_size = ${MAX_RECORD_BYTES})`;
  return { source, items: () => itemsOf(path, source, objects) };
}

async function* itemsOf(path: string, source: string, objects: string): AsyncGenerator<TableItem> {
  await using database = await openDuckDb(path);
  let number = 0;
  try {
    for await (const rows of database.stream(`select json::varchar from ${objects}`)) {
      for (const [text] of rows) yield readText(String(text), `${source}:${++number}`);
    }
  } catch (thrown) {
    // DuckDB reads ahead: its own message knows better than the count of records where the trouble is.
    const hint =
      "mend the file there, or write one object a line (.jsonl): a broken line is refused by itself, the rest is read";
    throw tableMalformed(source, thrown, hint);
  }
}

function readText(text: string, source: string): TableItem {
  try {
    return readObject(JSON.parse(text), source);
  } catch (thrown) {
    return { kind: "refused", source, code: "row_malformed", message: `no JSON: ${reasonOf(thrown, text)}` };
  }
}
