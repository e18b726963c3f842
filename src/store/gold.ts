/** @file Gold labels. Nothing but measurement reads them. */

import { rowId } from "../records.ts";
import type { GoldStore } from "./contract.ts";
import { byKey, type Database, type Insert, insertAll, KEY_CHUNK } from "./database.ts";
import { inChunks } from "./pages.ts";

type GoldRecord = { readonly field: string; readonly row_id: string; readonly value: string };

const latestGold: Insert<GoldRecord> = {
  table: "gold",
  columns: ["field", "row_id", "value"],
  conflict: "on conflict (field, row_id) do update set value = excluded.value",
};

export function createGoldStore({ read, write }: Database, field: string): GoldStore {
  return {
    put: (gold, withdraw = []) =>
      write(async (transaction, run) => {
        // One statement may not touch a record twice: the last word on a row wins.
        const latest = new Map(gold.map(({ rowId: row_id, value }) => [row_id, { field, row_id, value }]));
        await insertAll(run, latestGold, [...latest.values()].sort(byKey(({ row_id }) => row_id)));
        for (const ids of inChunks(withdraw, KEY_CHUNK)) {
          await transaction.deleteFrom("gold").where("field", "=", field).where("row_id", "in", ids).execute();
        }
      }),
    async countByValue() {
      const counts = read.selectFrom("gold").where("field", "=", field).groupBy("value").orderBy("value");
      const found = await counts.select((eb) => ["value", eb.fn.countAll<number>().as("n")]).execute();
      return found.map(({ value, n }) => [value, Number(n)] as const);
    },
    async all() {
      const records = await read.selectFrom("gold").selectAll().where("field", "=", field).orderBy("row_id").execute();
      return new Map(records.map(({ row_id, value }) => [rowId(row_id), value]));
    },
  };
}
