/** @file Labels in force, one a row. */

import type { Label, LabelBasis, Row, RowId, Split } from "../records.ts";
import { rowId } from "../records.ts";
import type { LabelStore, RowFilter } from "./contract.ts";
import { type Database, fromJson, INSERT_CHUNK, KEY_CHUNK } from "./database.ts";
import { inChunks, inPages, PAGE_SIZE } from "./pages.ts";
import { rowMatches, toRow } from "./row-filter.ts";
import type { LabelRecord } from "./schema.ts";

type Labelled = { readonly row: Row; readonly label: Label };

export function createLabelStore({ read, write }: Database, field: string): LabelStore {
  const page = async (filter: RowFilter, after: RowId | undefined): Promise<readonly Labelled[]> => {
    const query = read
      .selectFrom("labels")
      .innerJoin("rows", "rows.id", "labels.row_id")
      .selectAll("rows")
      .select(["row_id", "value", "weight", "basis", "distribution", "at"])
      .where("labels.field", "=", field)
      .where(rowMatches(filter))
      .orderBy("labels.row_id")
      .limit(PAGE_SIZE);
    const records = await (after === undefined ? query : query.where("labels.row_id", ">", after)).execute();
    return records.map((record) => ({ row: toRow(record), label: toLabel(record) }));
  };
  return {
    put: (labels, withdraw = []) =>
      write(async (transaction) => {
        for (const chunk of inChunks(withdraw, KEY_CHUNK)) {
          await transaction.deleteFrom("labels").where("field", "=", field).where("row_id", "in", chunk).execute();
        }
        // One statement may not touch a record twice: the last word on a row wins.
        const latest = new Map(labels.map((label) => [label.rowId, { field, ...fromLabel(label) }]));
        for (const chunk of inChunks([...latest.values()], INSERT_CHUNK)) {
          await transaction
            .insertInto("labels")
            .values(chunk)
            .onConflict((conflict) =>
              conflict.columns(["field", "row_id"]).doUpdateSet((eb) => ({
                value: eb.ref("excluded.value"),
                weight: eb.ref("excluded.weight"),
                basis: eb.ref("excluded.basis"),
                distribution: eb.ref("excluded.distribution"),
                at: eb.ref("excluded.at"),
              })),
            )
            .execute();
        }
      }),
    async get(id) {
      const query = read.selectFrom("labels").selectAll().where("field", "=", field).where("row_id", "=", id);
      const record = await query.executeTakeFirst();
      return record && toLabel(record);
    },
    async count(filter = {}) {
      const query = read
        .selectFrom("labels")
        .innerJoin("rows", "rows.id", "labels.row_id")
        .select((eb) => eb.fn.countAll<number>().as("n"))
        .where("labels.field", "=", field);
      return Number((await query.where(rowMatches(filter)).executeTakeFirstOrThrow()).n);
    },
    async countBySplit() {
      const query = read.selectFrom("labels").innerJoin("rows", "rows.id", "labels.row_id").groupBy("rows.split");
      const counts = query
        .select((eb) => ["rows.split", eb.fn.countAll<number>().as("n")])
        .where("labels.field", "=", field);
      const found = new Map((await counts.execute()).map(({ split, n }) => [split, Number(n)]));
      const of = (split: Split) => found.get(split) ?? 0;
      return { train: of("train"), calibrate: of("calibrate"), certify: of("certify") };
    },
    async countByValue() {
      const counts = read.selectFrom("labels").where("field", "=", field).groupBy("value").orderBy("value");
      const found = await counts.select((eb) => ["value", eb.fn.countAll<number>().as("n")]).execute();
      return found.map(({ value, n }) => [value, Number(n)] as const);
    },
    list: (filter = {}) => inPages((after: Labelled | undefined) => page(filter, after?.row.id)),
  };
}

function fromLabel({ rowId: row_id, value, weight, basis, distribution, at }: Label): Omit<LabelRecord, "field"> {
  return { row_id, value, weight, basis, distribution: distribution ? JSON.stringify(distribution) : null, at };
}

function toLabel({ row_id, value, weight, basis, distribution, at }: Omit<LabelRecord, "field">): Label {
  return {
    rowId: rowId(row_id),
    value,
    weight,
    basis: basis as LabelBasis,
    ...(distribution === null
      ? {}
      : { distribution: fromJson<NonNullable<Label["distribution"]>>(distribution, `the label of row ${row_id}`) }),
    at,
  };
}
