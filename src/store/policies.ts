/** @file Policies, the champion and its history, and the monitor's hard stops. */

import type { Selectable } from "kysely";
import { sql } from "kysely";
import { modelId, type Policy, policyId } from "../records.ts";
import type { PolicyStore } from "./contract.ts";
import { type Database, fromJson, toBit } from "./database.ts";
import type { Schema } from "./schema.ts";
import { rejudgePolicy } from "./uniform-outcomes.ts";

export function createPolicyStore({ read, write, runNow }: Database, field: string): PolicyStore {
  const champions = read.selectFrom("champions").selectAll().where("field", "=", field).orderBy("version", "desc");
  const policies = read.selectFrom("policies").where("field", "=", field);
  return {
    put: (policy) =>
      write(async (transaction) => {
        const insert = transaction.insertInto("policies").values({
          field,
          id: policy.id,
          model_id: policy.modelId,
          certified: toBit(policy.certificate !== undefined),
          created_at: policy.createdAt,
          body: JSON.stringify(policy),
        });
        await insert.onConflict((conflict) => conflict.columns(["field", "id"]).doNothing()).execute();
        rejudgePolicy(runNow, field, policy.id);
      }),
    async get(id) {
      const query = policies.select("body").where("id", "=", id);
      const record = await query.executeTakeFirst();
      return record && fromJson<Policy>(record.body, `policy ${id}`);
    },
    async ofModel(id) {
      const query = policies.select("body").where("model_id", "=", id);
      const records = await query.orderBy("created_at", "desc").orderBy("id").execute();
      return records.map(({ body }) => fromJson<Policy>(body, `a policy of model ${id}`));
    },
    async champion() {
      const newest = await champions.limit(1).executeTakeFirst();
      return newest && toChampion(newest);
    },
    promote: ({ modelId, policyId, at, reason }, expected) =>
      write(async (transaction) => {
        // The condition and the primary key decide together: where two processes pass the first, the second lets one in.
        const isExpected = sql<boolean>`(select coalesce(max(version), 0) from champions where field = ${field}) = ${expected}`;
        const result = await sql`insert into champions (field, version, model_id, policy_id, at, reason)
          select ${field}, cast(${expected + 1} as bigint), ${modelId}, ${policyId}, cast(${at} as bigint), ${reason} where ${isExpected}
          on conflict (field, version) do nothing`.execute(transaction);
        return Number(result.numAffectedRows ?? 0) === 1;
      }),
    history: async () => (await champions.execute()).map(toChampion),
    void: (id, why, at) =>
      write(async (transaction) => {
        const insert = transaction.insertInto("policy_voids").values({ field, policy_id: id, why, at });
        await insert.onConflict((conflict) => conflict.columns(["field", "policy_id"]).doNothing()).execute();
      }),
    voided(id) {
      const query = read.selectFrom("policy_voids").select(["why", "at"]).where("field", "=", field);
      return query.where("policy_id", "=", id).executeTakeFirst();
    },
    async certificatesIssued() {
      const query = policies.select((eb) => eb.fn.countAll<number>().as("n"));
      return Number((await query.where("certified", "=", 1).executeTakeFirstOrThrow()).n);
    },
  };
}

function toChampion({ version, model_id, policy_id, at, reason }: Selectable<Schema["champions"]>) {
  return { version, modelId: modelId(model_id), policyId: policyId(policy_id), at, reason };
}
