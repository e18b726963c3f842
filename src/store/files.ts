/** @file Files that became rows, so that an unchanged one need not be read again. */

import { basename } from "node:path";
import { rowId } from "../records.ts";
import type { FileStore, SeenFile } from "./contract.ts";
import { type Database, INSERT_CHUNK, KEY_CHUNK } from "./database.ts";
import { inChunks } from "./pages.ts";

export function createFileStore({ read, write }: Database): FileStore {
  const select = async (column: "path" | "name", keys: readonly string[]): Promise<readonly SeenFile[]> => {
    const found: SeenFile[] = [];
    for (const chunk of inChunks([...new Set(keys)], KEY_CHUNK)) {
      const records = await read.selectFrom("files").selectAll().where(column, "in", chunk).execute();
      for (const { path, row_id, size_bytes, modified_ms } of records) {
        found.push({ path, rowId: rowId(row_id), sizeBytes: size_bytes, modifiedMs: modified_ms });
      }
    }
    return found;
  };
  return {
    put: (files) =>
      write(async (transaction) => {
        // One statement may not touch a record twice: the last word on a path wins.
        const latest = new Map(files.map((file) => [file.path, toRecord(file)]));
        for (const chunk of inChunks([...latest.values()], INSERT_CHUNK)) {
          await transaction
            .insertInto("files")
            .values(chunk)
            .onConflict((conflict) =>
              conflict.column("path").doUpdateSet((eb) => ({
                row_id: eb.ref("excluded.row_id"),
                size_bytes: eb.ref("excluded.size_bytes"),
                modified_ms: eb.ref("excluded.modified_ms"),
              })),
            )
            .execute();
        }
      }),
    getMany: (paths) => select("path", paths),
    named: (names) => select("name", names),
  };
}

function toRecord({ path, rowId, sizeBytes, modifiedMs }: SeenFile) {
  return { path, name: basename(path), row_id: rowId, size_bytes: sizeBytes, modified_ms: modifiedMs };
}
