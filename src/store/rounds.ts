/** @file Turns of the wheel. */

import type { Round } from "../records.ts";
import type { RoundStore } from "./contract.ts";
import { type Database, fromJson } from "./database.ts";

export function createRoundStore({ read, write }: Database, field: string): RoundStore {
  return {
    put: (round) =>
      write(async (transaction) => {
        const body = JSON.stringify(round);
        const insert = transaction.insertInto("rounds").values({ field, round: round.round, body });
        await insert.onConflict((conflict) => conflict.columns(["field", "round"]).doUpdateSet({ body })).execute();
      }),
    async list() {
      const records = await read
        .selectFrom("rounds")
        .select(["round", "body"])
        .where("field", "=", field)
        .orderBy("round")
        .execute();
      return records.map(({ round, body }) => fromJson<Round>(body, `round ${round}`));
    },
  };
}
