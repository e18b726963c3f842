/** @file Model cards; the files live in a folder of their own, named by the model's id. */

import { join } from "node:path";
import type { ModelCard } from "../records.ts";
import type { ModelStore } from "./contract.ts";
import { type Database, fromJson } from "./database.ts";

export function createModelStore(
  { read, write }: Database,
  { field, folder }: { readonly field: string; readonly folder: string },
): ModelStore {
  return {
    put: (card) =>
      write(async (transaction) => {
        const record = { field, id: card.id, created_at: card.createdAt, card: JSON.stringify(card) };
        const insert = transaction.insertInto("models").values(record);
        await insert.onConflict((conflict) => conflict.columns(["field", "id"]).doNothing()).execute();
      }),
    async get(id) {
      const query = read.selectFrom("models").select("card").where("field", "=", field).where("id", "=", id);
      const record = await query.executeTakeFirst();
      return record && fromJson<ModelCard>(record.card, `the card of model ${id}`);
    },
    async list() {
      const query = read.selectFrom("models").select(["id", "card"]).where("field", "=", field);
      return (await query.orderBy("created_at", "desc").orderBy("id").execute()).map(({ id, card }) =>
        fromJson<ModelCard>(card, `the card of model ${id}`),
      );
    },
    folder: (id) => join(folder, id),
  };
}
