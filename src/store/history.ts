/**
 * @file What is kept beside the decisions, in the transactions that change it: sums, the outcomes that monitors watch, and
 * which decisions still call for a label. Read here; written by `tallies.ts`, `uniform-outcomes.ts`, `pending-labels.ts`.
 *
 * A workspace from before has decisions that are not counted: they are, in order of time, a few at a time, each step in a
 * transaction that also records how far it came. Decisions that are new meanwhile are marked as counted and passed over.
 */

import { setImmediate as turn } from "node:timers/promises";
import { sql } from "kysely";
import type { Annotation, Decision, PolicyId } from "../records.ts";
import { rowId } from "../records.ts";
import type { HistoryStore, OutcomeHour, PendingLabel, TrafficTally } from "./contract.ts";
import { type Database, fromJson, type RunNow } from "./database.ts";
import { inPages, PAGE_SIZE } from "./pages.ts";
import { noteLabelled, notePending } from "./pending-labels.ts";
import { DAY_MS, dayOf, HOUR_MS, hourOf, latencyAt, tally, toUsd } from "./tallies.ts";
import { noteUniform, rejudgeRow } from "./uniform-outcomes.ts";

/** Decisions that are new in the store, in their transaction. The cheaper the more of them at once. */
export function noteDecisions(run: RunNow, field: string, decisions: readonly Decision[]): void {
  tally(run, field, decisions);
  noteUniform(run, field, decisions);
  notePending(run, field, decisions);
}

/** An annotation that is new in the store, in its transaction. */
export function noteAnnotation(run: RunNow, storeField: string, annotation: Annotation): void {
  const field = annotation.field ?? storeField;
  noteLabelled(run, field, annotation);
  rejudgeRow(run, field, annotation.rowId);
}

/** A store's history by field. */
export function createHistory(database: Database): (field: string) => HistoryStore {
  let catching: Promise<void> | undefined;
  const catchUp = (onStep?: (decisions: number) => void): Promise<void> => {
    catching ??= countAll(database, onStep).catch((thrown: unknown) => {
      catching = undefined;
      throw thrown;
    });
    return catching;
  };
  return (field) => historyOf(database, field, catchUp);
}

function historyOf(database: Database, field: string, catchUp: HistoryStore["catchUp"]): HistoryStore {
  const { read, write, runNow } = database;
  return {
    catchUp,
    async traffic(since = 0) {
      await catchUp();
      const whole = await wholeHours(database, field, Math.ceil(since / HOUR_MS));
      return mergeTallies([...whole, ...(await partOfHour(database, field, since))]);
    },
    async latencies() {
      await catchUp();
      const query = read.selectFrom("latencies").where("field", "=", field).groupBy("step").orderBy("step");
      const records = await query.select((eb) => ["step", eb.fn.sum<number>("requests").as("requests")]).execute();
      return records.map(({ step, requests }) => ({ ms: latencyAt(step), requests: Number(requests) }));
    },
    async outcomeHours(id) {
      await catchUp();
      const query = read.selectFrom("outcome_hours").select(["hour", "awaiting", "passed", "correct", "wrong"]);
      return await query.where("field", "=", field).where("policy_id", "=", id).orderBy("hour").execute();
    },
    outcomes: (id, hour) => outcomesOf(database, { field, id, hour }),
    async *pendingLabels() {
      await catchUp();
      yield* listPending(database, field);
    },
    async countPending(fields) {
      await catchUp();
      const query = read.selectFrom("pending_labels").select((eb) => eb.fn.count<number>("id").distinct().as("n"));
      return Number((await query.where("field", "in", fields).executeTakeFirstOrThrow()).n);
    },
    settlePending: (id) =>
      write(async (_, run) => {
        await run("delete from pending_labels where field = ? and id = ?", [field, id]);
      }),
    async rebuild() {
      await catchUp();
      await write(async () => recount(runNow, field));
    },
    async dropDecisions(before, { keepHourOf = -HOUR_MS } = {}) {
      await catchUp();
      return await drop(database, { field, before, keptHour: hourOf(keepHourOf) });
    },
  };
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

type Tallied = Omit<TrafficTally, "route" | "reason"> & { readonly route: string; readonly reason: string };

async function wholeHours({ read }: Database, field: string, firstHour: number): Promise<readonly Tallied[]> {
  const { rows } = await sql<Readonly<Record<keyof Tallied, number>> & Pick<Tallied, "route" | "reason">>`
    select route, reason, sum(requests) as requests, sum(paid) as paid, sum(cost) as "costUsd",
      min(first_at) as "firstAt", max(last_at) as "lastAt"
    from tallies where field = ${field} and hour >= ${firstHour} group by route, reason`.execute(read);
  return rows.map((row) => ({
    ...row,
    requests: Number(row.requests),
    paid: Number(row.paid),
    costUsd: toUsd(Number(row.costUsd)),
  }));
}

/** From `since` to the end of its hour, one by one. */
async function partOfHour({ read }: Database, field: string, since: number): Promise<readonly Tallied[]> {
  const end = Math.ceil(since / HOUR_MS) * HOUR_MS;
  const query = read.selectFrom("decisions").select(["id", "at", "body"]).where("field", "=", field);
  const ordered = query.where("at", ">=", since).where("at", "<", end).orderBy("at").orderBy("id").limit(PAGE_SIZE);
  const pages = inPages((after: { readonly id: string; readonly at: number; readonly body: string } | undefined) =>
    (after ? ordered.where((eb) => eb(eb.refTuple("at", "id"), ">", eb.tuple(after.at, after.id))) : ordered).execute(),
  );
  const tallied: Tallied[] = [];
  if (end <= since) return tallied;
  for await (const { body } of pages) {
    const { route, reason = "", costUsd, at } = fromJson<Decision>(body);
    tallied.push({ route, reason, requests: 1, paid: Number(costUsd > 0), costUsd, firstAt: at, lastAt: at });
  }
  return tallied;
}

function mergeTallies(tallied: readonly Tallied[]): readonly TrafficTally[] {
  const merged = new Map<string, Tallied>();
  for (const one of tallied) {
    const key = `${one.route} ${one.reason}`;
    const known = merged.get(key);
    merged.set(key, known ? add(known, one) : one);
  }
  return [...merged.values()].map((one) => ({
    ...one,
    route: one.route as TrafficTally["route"],
    reason: one.reason === "" ? undefined : (one.reason as TrafficTally["reason"]),
  }));
}

const add = (a: Tallied, b: Tallied): Tallied => ({
  ...a,
  requests: a.requests + b.requests,
  paid: a.paid + b.paid,
  costUsd: a.costUsd + b.costUsd,
  firstAt: Math.min(a.firstAt, b.firstAt),
  lastAt: Math.max(a.lastAt, b.lastAt),
});

type OutcomeQuery = { readonly field: string; readonly id: PolicyId; readonly hour: OutcomeHour["hour"] };

async function* outcomesOf({ read }: Database, { field, id, hour }: OutcomeQuery) {
  const query = read.selectFrom("uniform_outcomes").select(["at", "id", "answered", "wrong"]);
  const own = query.where("field", "=", field).where("policy_id", "=", id).where("wrong", "is not", null);
  const within = own.where("at", ">=", hour * HOUR_MS).where("at", "<", (hour + 1) * HOUR_MS);
  const ordered = within.orderBy("at").orderBy("id").limit(PAGE_SIZE);
  type Outcome = Awaited<ReturnType<typeof ordered.execute>>[number];
  const pages = inPages((after: Outcome | undefined) =>
    (after ? ordered.where((eb) => eb(eb.refTuple("at", "id"), ">", eb.tuple(after.at, after.id))) : ordered).execute(),
  );
  for await (const { answered, wrong } of pages) yield { answered: answered === 1, wrong: wrong === 1 };
}

function listPending({ read }: Database, field: string): AsyncGenerator<PendingLabel> {
  const query = read.selectFrom("pending_labels").select(["id", "row_id", "at"]).where("field", "=", field);
  const ordered = query.orderBy("at").orderBy("id").limit(PAGE_SIZE);
  return inPages(async (after: PendingLabel | undefined) => {
    const page = after
      ? ordered.where((eb) => eb(eb.refTuple("at", "id"), ">", eb.tuple(after.at, after.id)))
      : ordered;
    return (await page.execute()).map(({ id, row_id, at }) => ({ id, rowId: rowId(row_id), at }));
  });
}

// ── counting what was there before ──────────────────────────────────────────────────────────────────────────────────

/** Decisions a transaction: a few milliseconds of the event loop. */
const STEP = 200;

async function countAll({ read, write, runNow }: Database, onStep?: (decisions: number) => void): Promise<void> {
  const { done } = await read.selectFrom("history_progress").select("done").executeTakeFirstOrThrow();
  if (done === 1) return;
  let seen = 0;
  for (let step = 1; step > 0; ) {
    step = await write(async () => countStep(runNow));
    seen += step;
    onStep?.(seen);
    await turn();
  }
}

type Counted = { readonly field: string; readonly at: number; readonly id: string; readonly body: string | null };

/** @returns how many decisions it looked at: 0 once there are no more */
function countStep(run: RunNow): number {
  const [from] = run("select field, at, decision from history_progress where done = 0", []).rows as {
    readonly field: string;
    readonly at: number;
    readonly decision: string;
  }[];
  if (!from) return 0;
  const text = `select field, at, id, case when counted = 0 then body else null end as body from decisions
    where (field, at, id) > (?, ?, ?) order by field, at, id limit ${STEP}`;
  const page = run(text, [from.field, from.at, from.decision]).rows as readonly Counted[];
  for (const [field, group] of Map.groupBy(page, (one) => one.field))
    noteDecisions(
      run,
      field,
      group.flatMap(({ body }) => (body === null ? [] : [fromJson<Decision>(body)])),
    );
  const last = page.at(-1);
  if (last) run("update history_progress set field = ?, at = ?, decision = ?", [last.field, last.at, last.id]);
  else run("update history_progress set done = 1", []);
  return page.length;
}

/** As `countAll`, of one field and at once, after what is known of it was forgotten. */
function recount(run: RunNow, field: string): void {
  const [dropped] = run("select before_at from history_dropped where field = ?", [field]).rows as {
    readonly before_at: number;
  }[];
  const since = dropped?.before_at ?? 0;
  run("delete from tallies where field = ? and hour >= ?", [field, hourOf(since)]);
  run("delete from latencies where field = ? and day >= ?", [field, dayOf(since)]);
  run("delete from uniform_outcomes where field = ? and at >= ?", [field, since]);
  run("delete from outcome_hours where field = ? and hour >= ?", [field, hourOf(since)]);
  run("delete from pending_labels where field = ? and at >= ?", [field, since]);
  const text = `select at, id, body from decisions where field = ? and at >= ? and (at, id) > (?, ?)
    order by at, id limit ${PAGE_SIZE}`;
  for (let after: readonly [number, string] | undefined = [-1, ""]; after; ) {
    const page = run(text, [field, since, ...after]).rows as readonly Counted[];
    noteDecisions(
      run,
      field,
      page.map(({ body }) => fromJson<Decision>(body!)),
    );
    const last = page.at(-1);
    after = last && [last.at, last.id];
  }
}

// ── dropping ────────────────────────────────────────────────────────────────────────────────────────────────────────

const dropSome = `delete from decisions where field = ? and id in (select id from decisions
  where field = ? and at < ? and not (at >= ? and at < ?) and not exists
    (select 1 from pending_labels where pending_labels.field = decisions.field and pending_labels.id = decisions.id)
  order by at, id limit ${STEP})`;
const keepBefore = `insert into history_dropped (field, before_at) values (?, ?)
  on conflict (field) do update set before_at =
    case when excluded.before_at > history_dropped.before_at then excluded.before_at else history_dropped.before_at end`;

/** Whole days, for sums are by hour and by day. */
async function drop(
  { write, runNow }: Database,
  { field, before, keptHour }: { readonly field: string; readonly before: number; readonly keptHour: number },
): Promise<number> {
  const day = dayOf(before) * DAY_MS;
  const kept = [keptHour * HOUR_MS, (keptHour + 1) * HOUR_MS];
  let dropped = 0;
  for (let some = STEP; some === STEP; ) {
    some = await write(async () => {
      runNow(keepBefore, [field, day]);
      return runNow(dropSome, [field, field, day, ...kept]).changed;
    });
    dropped += some;
    await turn();
  }
  return dropped;
}
