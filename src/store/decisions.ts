/** @file Routed requests, in order of time. */

import type { ExpressionBuilder } from "kysely";
import type { Decision } from "../records.ts";
import type { DecisionFilter, DecisionStore } from "./contract.ts";
import { type Database, fromJson, INSERT_CHUNK, toBit } from "./database.ts";
import { inChunks, inPages, PAGE_SIZE } from "./pages.ts";
import type { Schema } from "./schema.ts";

export function createDecisionStore({ read, write }: Database, field: string): DecisionStore {
  return {
    put: (decisions) =>
      write(async (transaction) => {
        for (const chunk of inChunks(decisions, INSERT_CHUNK)) {
          const insert = transaction
            .insertInto("decisions")
            .values(chunk.map((decision) => ({ field, ...toRecord(decision) })));
          await insert.onConflict((conflict) => conflict.columns(["field", "id"]).doNothing()).execute();
        }
      }),
    async get(id) {
      const query = read.selectFrom("decisions").select("body").where("field", "=", field).where("id", "=", id);
      const record = await query.executeTakeFirst();
      return record && fromJson<Decision>(record.body);
    },
    list(filter = {}) {
      const query = read.selectFrom("decisions").select("body").where(matches(field, filter));
      const ordered = query.orderBy("at").orderBy("id").limit(PAGE_SIZE);
      return inPages(async (after: Decision | undefined) => {
        const page = after === undefined ? ordered : ordered.where((eb) => comesAfter(eb, after));
        return (await page.execute()).map(({ body }) => fromJson<Decision>(body));
      });
    },
    async count(filter = {}) {
      const query = read.selectFrom("decisions").select((eb) => eb.fn.countAll<number>().as("n"));
      return Number((await query.where(matches(field, filter)).executeTakeFirstOrThrow()).n);
    },
  };
}

function toRecord(decision: Decision) {
  return {
    id: decision.id,
    row_id: decision.rowId,
    at: decision.at,
    route: decision.route,
    uniform: toBit(decision.uniform),
    policy_id: decision.policyId ?? null,
    body: JSON.stringify(decision),
  };
}

function matches(field: string, { since, policyId, uniform, route }: DecisionFilter) {
  return (eb: ExpressionBuilder<Schema, "decisions">) =>
    eb.and([
      eb("field", "=", field),
      ...(since === undefined ? [] : [eb("at", ">=", since)]),
      ...(policyId === undefined ? [] : [eb("policy_id", "=", policyId)]),
      ...(uniform === undefined ? [] : [eb("uniform", "=", toBit(uniform))]),
      ...(route === undefined ? [] : [eb("route", "=", route)]),
    ]);
}

function comesAfter(eb: ExpressionBuilder<Schema, "decisions">, { at, id }: Decision) {
  return eb(eb.refTuple("at", "id"), ">", eb.tuple(at, id));
}
