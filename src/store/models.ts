/** @file Model cards; the files live in a folder of their own, named by the model's id. */

import { join } from "node:path";
import type { ModelCard } from "../records.ts";
import type { ModelStore } from "./contract.ts";
import { type Database, fromJson } from "./database.ts";

export function createModelStore({ read, write }: Database, folder: string): ModelStore {
  return {
    put: (card) =>
      write(async (transaction) => {
        const record = { id: card.id, created_at: card.createdAt, card: JSON.stringify(card) };
        const insert = transaction.insertInto("models").values(record);
        await insert.onConflict((conflict) => conflict.column("id").doNothing()).execute();
      }),
    async get(id) {
      const record = await read.selectFrom("models").select("card").where("id", "=", id).executeTakeFirst();
      return record && fromJson<ModelCard>(record.card);
    },
    async list() {
      const query = read.selectFrom("models").select("card").orderBy("created_at", "desc").orderBy("id");
      return (await query.execute()).map(({ card }) => fromJson<ModelCard>(card));
    },
    folder: (id) => join(folder, id),
  };
}
