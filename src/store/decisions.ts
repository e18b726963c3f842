/** @file Routed requests, in order of time. */

import type { ExpressionBuilder } from "kysely";
import type { Decision } from "../records.ts";
import type { DecisionFilter, DecisionStore } from "./contract.ts";
import { type Database, fromJson, INSERT_CHUNK, toBit } from "./database.ts";
import { inChunks, inPages, PAGE_SIZE } from "./pages.ts";
import type { Schema } from "./schema.ts";

export function createDecisionStore({ read, write }: Database): DecisionStore {
  return {
    put: (decisions) =>
      write(async (transaction) => {
        for (const chunk of inChunks(decisions, INSERT_CHUNK)) {
          const insert = transaction.insertInto("decisions").values(chunk.map(toRecord));
          await insert.onConflict((conflict) => conflict.column("id").doNothing()).execute();
        }
      }),
    async get(id) {
      const record = await read.selectFrom("decisions").select("body").where("id", "=", id).executeTakeFirst();
      return record && fromJson<Decision>(record.body);
    },
    list(filter = {}) {
      const query = read.selectFrom("decisions").select("body").where(matches(filter));
      const ordered = query.orderBy("at").orderBy("id").limit(PAGE_SIZE);
      return inPages(async (after: Decision | undefined) => {
        const page = after === undefined ? ordered : ordered.where((eb) => comesAfter(eb, after));
        return (await page.execute()).map(({ body }) => fromJson<Decision>(body));
      });
    },
    async count(filter = {}) {
      const query = read.selectFrom("decisions").select((eb) => eb.fn.countAll<number>().as("n"));
      return Number((await query.where(matches(filter)).executeTakeFirstOrThrow()).n);
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

function matches({ since, policyId, uniform, route }: DecisionFilter) {
  return (eb: ExpressionBuilder<Schema, "decisions">) =>
    eb.and([
      ...(since === undefined ? [] : [eb("at", ">=", since)]),
      ...(policyId === undefined ? [] : [eb("policy_id", "=", policyId)]),
      ...(uniform === undefined ? [] : [eb("uniform", "=", toBit(uniform))]),
      ...(route === undefined ? [] : [eb("route", "=", route)]),
    ]);
}

function comesAfter(eb: ExpressionBuilder<Schema, "decisions">, { at, id }: Decision) {
  return eb(eb.refTuple("at", "id"), ">", eb.tuple(at, id));
}
