/** @file Policies, the champion and its history, and the monitor's hard stops. */

import type { Selectable } from "kysely";
import { sql } from "kysely";
import { modelId, type Policy, policyId } from "../records.ts";
import type { PolicyStore } from "./contract.ts";
import { type Database, fromJson, toBit } from "./database.ts";
import type { Schema } from "./schema.ts";

export function createPolicyStore({ read, write }: Database): PolicyStore {
  const champions = read.selectFrom("champions").selectAll().orderBy("version", "desc");
  return {
    put: (policy) =>
      write(async (transaction) => {
        const insert = transaction.insertInto("policies").values({
          id: policy.id,
          model_id: policy.modelId,
          certified: toBit(policy.certificate !== undefined),
          created_at: policy.createdAt,
          body: JSON.stringify(policy),
        });
        await insert.onConflict((conflict) => conflict.column("id").doNothing()).execute();
      }),
    async get(id) {
      const record = await read.selectFrom("policies").select("body").where("id", "=", id).executeTakeFirst();
      return record && fromJson<Policy>(record.body);
    },
    async ofModel(id) {
      const query = read.selectFrom("policies").select("body").where("model_id", "=", id);
      const records = await query.orderBy("created_at", "desc").orderBy("id").execute();
      return records.map(({ body }) => fromJson<Policy>(body));
    },
    async champion() {
      const newest = await champions.limit(1).executeTakeFirst();
      return newest && toChampion(newest);
    },
    promote: ({ modelId, policyId, at, reason }, expected) =>
      write(async (transaction) => {
        // The condition and the primary key decide together: where two processes pass the first, the second lets one in.
        const isExpected = sql<boolean>`(select coalesce(max(version), 0) from champions) = ${expected}`;
        const result = await sql`insert into champions (version, model_id, policy_id, at, reason)
          select cast(${expected + 1} as bigint), ${modelId}, ${policyId}, cast(${at} as bigint), ${reason} where ${isExpected}
          on conflict (version) do nothing`.execute(transaction);
        return Number(result.numAffectedRows ?? 0) === 1;
      }),
    history: async () => (await champions.execute()).map(toChampion),
    void: (id, why, at) =>
      write(async (transaction) => {
        const insert = transaction.insertInto("policy_voids").values({ policy_id: id, why, at });
        await insert.onConflict((conflict) => conflict.column("policy_id").doNothing()).execute();
      }),
    voided: (id) =>
      read.selectFrom("policy_voids").select(["why", "at"]).where("policy_id", "=", id).executeTakeFirst(),
    async certificatesIssued() {
      const query = read.selectFrom("policies").select((eb) => eb.fn.countAll<number>().as("n"));
      return Number((await query.where("certified", "=", 1).executeTakeFirstOrThrow()).n);
    },
  };
}

function toChampion({ version, model_id, policy_id, at, reason }: Selectable<Schema["champions"]>) {
  return { version, modelId: modelId(model_id), policyId: policyId(policy_id), at, reason };
}
