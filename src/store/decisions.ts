/** @file Routed requests, in order of time. */

import type { ExpressionBuilder } from "kysely";
import { BUDGET_EXHAUSTED } from "../budget.ts";
import type { Decision } from "../records.ts";
import type { DecisionFilter, DecisionStore } from "./contract.ts";
import { type Cell, type Database, fromJson, type RunNow, toBit } from "./database.ts";
import { noteDecisions } from "./history.ts";
import { inPages, PAGE_SIZE } from "./pages.ts";
import type { Schema } from "./schema.ts";

const insertDecision = `insert into decisions (field, id, row_id, at, route, uniform, policy_id, body, counted)
  values (?, ?, ?, ?, ?, ?, ?, ?, 1) on conflict (field, id) do nothing`;

const addOverBudget = `insert into over_budget (field, requests, first_at, last_at) values (?, 1, ?, ?)
  on conflict (field) do update set requests = over_budget.requests + 1,
    first_at = case when excluded.first_at < over_budget.first_at then excluded.first_at else over_budget.first_at end,
    last_at = case when excluded.last_at > over_budget.last_at then excluded.last_at else over_budget.last_at end`;

/** In the transaction of a decision that is new. */
function noteOverBudget(run: RunNow, field: string, { at, degradedFor }: Decision): void {
  if (degradedFor === BUDGET_EXHAUSTED) run(addOverBudget, [field, at, at]);
}

export function createDecisionStore({ read, together, lastFlushMs }: Database, field: string): DecisionStore {
  // One by one: a statement of many records takes SQLite longer than the records.
  const putAll = together<Asked>((run, asked) => {
    const decisions = asked.map((one) => withWait(one, lastFlushMs()));
    const isNew = (decision: Decision) => run(insertDecision, [field, ...toCells(decision)]).changed > 0;
    const added = decisions.filter(isNew);
    noteDecisions(run, field, added);
    for (const decision of added) noteOverBudget(run, field, decision);
  });
  return {
    put(decisions, withinMs) {
      const askedMs = withinMs === undefined ? undefined : performance.now();
      return putAll(
        decisions.map((decision) => ({ decision, askedMs })),
        withinMs,
      );
    },
    async get(id) {
      const query = read.selectFrom("decisions").select("body").where("field", "=", field).where("id", "=", id);
      const record = await query.executeTakeFirst();
      return record && fromJson<Decision>(record.body, `decision ${id}`);
    },
    list(filter = {}) {
      const query = read.selectFrom("decisions").select("body").where(matches(field, filter));
      const ordered = query.orderBy("at").orderBy("id").limit(PAGE_SIZE);
      return inPages(async (after: Decision | undefined) => {
        const page = after === undefined ? ordered : ordered.where((eb) => comesAfter(eb, after));
        return (await page.execute()).map(({ body }) => fromJson<Decision>(body, "a decision"));
      });
    },
    async count(filter = {}) {
      const query = read.selectFrom("decisions").select((eb) => eb.fn.countAll<number>().as("n"));
      return Number((await query.where(matches(field, filter)).executeTakeFirstOrThrow()).n);
    },
    async overBudget() {
      const record = await read.selectFrom("over_budget").selectAll().where("field", "=", field).executeTakeFirst();
      return record && { requests: record.requests, firstAt: record.first_at, lastAt: record.last_at };
    },
  };
}

/** `askedMs`: since when a caller waits for it to be recorded. */
type Asked = { readonly decision: Decision; readonly askedMs: number | undefined };

/** Called when the commit begins. How long its flush will take cannot be written with it: the one before it tells. */
function withWait({ decision, askedMs }: Asked, flushMs: number): Decision {
  if (askedMs === undefined) return decision;
  return { ...decision, latencyMs: decision.latencyMs + (performance.now() - askedMs) + flushMs };
}

function toCells(decision: Decision): readonly Cell[] {
  const { id, rowId, at, route, uniform, policyId = null } = decision;
  return [id, rowId, at, route, toBit(uniform), policyId, JSON.stringify(decision)];
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
