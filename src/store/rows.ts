/** @file Rows, where they were seen, and the inputs that could not become rows. */

import type { Transaction } from "kysely";
import { type Row, rowId } from "../records.ts";
import type { RowFilter, RowStore } from "./contract.ts";
import { byKey, type Database, type Insert, insertAll, KEY_CHUNK, type Run } from "./database.ts";
import { inChunks, inPages, PAGE_SIZE } from "./pages.ts";
import { fromRow, rowMatches, toRow } from "./row-filter.ts";
import type { RowRecord, RowSourceRecord, Schema } from "./schema.ts";

export function createRowStore({ read, write }: Database): RowStore {
  const page = async (filter: RowFilter, after: Row | undefined): Promise<readonly Row[]> => {
    const query = read.selectFrom("rows").selectAll().where(rowMatches(filter)).orderBy("id").limit(PAGE_SIZE);
    const records = await (after === undefined ? query : query.where("id", ">", after.id)).execute();
    return records.map(toRow);
  };
  return {
    put: (rows) =>
      write(async (transaction, run) => {
        const added = await insertNew(run, rows);
        await recordSources(transaction, run, rows);
        await withdrawRejections(transaction, rows);
        return { added, duplicates: rows.length - added };
      }),
    async get(id) {
      const record = await read.selectFrom("rows").selectAll().where("id", "=", id).executeTakeFirst();
      return record && toRow(record);
    },
    async getMany(ids) {
      const rows: Row[] = [];
      for (const chunk of inChunks([...new Set(ids)].sort(), KEY_CHUNK)) {
        const records = await read.selectFrom("rows").selectAll().where("id", "in", chunk).orderBy("id").execute();
        rows.push(...records.map(toRow));
      }
      return rows;
    },
    async count(filter = {}) {
      const query = read.selectFrom("rows").select((eb) => eb.fn.countAll<number>().as("n"));
      return Number((await query.where(rowMatches(filter)).executeTakeFirstOrThrow()).n);
    },
    list: (filter = {}) => inPages((after) => page(filter, after)),
    async sources(id) {
      const query = read.selectFrom("row_sources").select("source").where("row_id", "=", id).orderBy("first_seen");
      return (await query.execute()).map(({ source }) => source);
    },
    async bySource(source) {
      const query = read.selectFrom("row_sources").select("row_id").where("source", "=", source);
      const latest = await query.orderBy("last_seen", "desc").limit(1).executeTakeFirst();
      return latest && rowId(latest.row_id);
    },
    reject: (rejections) =>
      write(async (transaction) => {
        for (const rejection of rejections) {
          const { code, message, at } = rejection;
          const insert = transaction.insertInto("rejections").values(rejection);
          await insert.onConflict((conflict) => conflict.column("source").doUpdateSet({ code, message, at })).execute();
        }
      }),
    rejections: () => read.selectFrom("rejections").selectAll().orderBy("source").execute(),
  };
}

const newRows: Insert<RowRecord> = {
  table: "rows",
  columns: ["id", "kind", "input", "source", "origin", "uniform", "split", "propensity", "created_at"],
  conflict: "on conflict (id) do nothing",
};

async function insertNew(run: Run, rows: readonly Row[]): Promise<number> {
  return await insertAll(run, newRows, rows.map(fromRow).sort(byKey(({ id }) => id)));
}

const sightings: Insert<RowSourceRecord> = {
  table: "row_sources",
  columns: ["row_id", "source", "first_seen", "last_seen"],
  conflict: "on conflict (row_id, source) do update set last_seen = excluded.last_seen",
};

async function recordSources(transaction: Transaction<Schema>, run: Run, rows: readonly Row[]): Promise<void> {
  const newest = transaction.selectFrom("row_sources").select((eb) => eb.fn.max("last_seen").as("seen"));
  let seen = Number((await newest.executeTakeFirst())?.seen ?? 0);
  // One statement may not touch a record twice: equal pairs are merged first.
  const pairs = new Map(rows.map((row) => [`${row.id} ${row.source}`, { row_id: row.id, source: row.source }]));
  const records = pairs
    .values()
    .map((pair) => ({ ...pair, first_seen: ++seen, last_seen: seen }))
    .toArray();
  await insertAll(run, sightings, records.sort(byKey(({ row_id }) => row_id)));
}

async function withdrawRejections(transaction: Transaction<Schema>, rows: readonly Row[]): Promise<void> {
  const any = await transaction.selectFrom("rejections").select("source").limit(1).executeTakeFirst();
  if (!any) return;
  for (const chunk of inChunks(rows, KEY_CHUNK)) {
    const sources = chunk.map((row) => row.source);
    await transaction.deleteFrom("rejections").where("source", "in", sources).execute();
  }
}
