/** @file The image files that a CSV or JSONL names, relative to its own folder. */

import { dirname, isAbsolute, join } from "node:path";
import type { Finding } from "./candidate.ts";
import { findForm } from "./file-forms.ts";
import { columnOf, FILE_COLUMNS, readTable } from "./read-table.ts";

/** A new workspace is about images: whoever brings a table of something else is told so here. */
const LIST_HINT =
  'name the column of the images\' paths file; of a table of texts or records, set input: "text" or "record" in the task\'s config';

/**
 * @param list its `source` is the path as the user wrote it
 * @throws FlywheelError `table_malformed`, `table_column_missing`
 */
export async function* readList(list: { readonly path: string; readonly source: string }): AsyncGenerator<Finding> {
  let column: string | undefined;
  for await (const record of readTable(list.path)) {
    column ??= columnOf(list.source, record, FILE_COLUMNS, LIST_HINT);
    const name = record.fields[column];
    if (typeof name === "string" && name !== "") yield await toFinding(list, name);
    else {
      const source = `${list.source}:${record.line}`;
      yield { kind: "refused", source, code: "file_missing", message: `the line names no file in column "${column}"` };
    }
  }
}

async function toFinding(list: { readonly path: string; readonly source: string }, name: string): Promise<Finding> {
  const source = isAbsolute(name) ? name : join(dirname(list.source), name);
  return { kind: "file", path: await findForm(dirname(list.path), name), source };
}
