/** @file Gold labels. Nothing but measurement reads them. */

import { rowId } from "../records.ts";
import type { GoldStore } from "./contract.ts";
import { type Database, INSERT_CHUNK } from "./database.ts";
import { inChunks } from "./pages.ts";

export function createGoldStore({ read, write }: Database, field: string): GoldStore {
  return {
    put: (gold) =>
      write(async (transaction) => {
        // One statement may not touch a record twice: the last word on a row wins.
        const latest = new Map(gold.map(({ rowId: row_id, value }) => [row_id, { field, row_id, value }]));
        for (const chunk of inChunks([...latest.values()], INSERT_CHUNK)) {
          await transaction
            .insertInto("gold")
            .values(chunk)
            .onConflict((conflict) =>
              conflict.columns(["field", "row_id"]).doUpdateSet((eb) => ({ value: eb.ref("excluded.value") })),
            )
            .execute();
        }
      }),
    async all() {
      const records = await read.selectFrom("gold").selectAll().where("field", "=", field).orderBy("row_id").execute();
      return new Map(records.map(({ row_id, value }) => [rowId(row_id), value]));
    },
  };
}
