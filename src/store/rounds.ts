/** @file Turns of the wheel. */

import type { Round } from "../records.ts";
import type { RoundStore } from "./contract.ts";
import { type Database, fromJson } from "./database.ts";

export function createRoundStore({ read, write }: Database): RoundStore {
  return {
    put: (round) =>
      write(async (transaction) => {
        const body = JSON.stringify(round);
        const insert = transaction.insertInto("rounds").values({ round: round.round, body });
        await insert.onConflict((conflict) => conflict.column("round").doUpdateSet({ body })).execute();
      }),
    async list() {
      const records = await read.selectFrom("rounds").select("body").orderBy("round").execute();
      return records.map(({ body }) => fromJson<Round>(body));
    },
  };
}
