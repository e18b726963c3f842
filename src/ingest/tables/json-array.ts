/** @file JSON: one list of objects, or objects one after another. A value that is none is refused; the rest goes on. */

import { readBytes } from "./json-lines.ts";
import { jsonValues } from "./json-values.ts";
import { MAX_RECORD_BYTES, type Table, type TableFile, type TableItem } from "./table.ts";

export async function openJson({ path, source }: TableFile): Promise<Table> {
  return { source, items: () => itemsOf(path, source) };
}

async function* itemsOf(path: string, source: string): AsyncGenerator<TableItem> {
  let number = 0;
  for await (const { place, bytes } of jsonValues({ path, source, maxBytes: MAX_RECORD_BYTES })) {
    const item = readBytes(bytes, { source: `${source}:${++number}`, what: "record" });
    if (item.kind === "record") yield item;
    else yield { ...item, message: `${item.message} (it begins on line ${place.line}, column ${place.column})` };
  }
}
