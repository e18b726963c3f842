/**
 * @file Numbered, forward-only migrations, one transaction each. The newest number is the version of the database.
 *
 * Types are spelled so that SQLite and Postgres read them alike: `bigint` for times and counts, `double precision` for
 * rates. The one that has no common name (bytes) comes in through `ColumnTypes`.
 */

import { type Kysely, sql, type Transaction } from "kysely";
import { FlywheelError } from "../errors.ts";
import type { Database } from "./database.ts";
import type { Schema } from "./schema.ts";

/** What the dialects call differently. */
export type ColumnTypes = { readonly bytes: "blob" | "bytea" };

type Migration = {
  readonly name: string;
  readonly statements: (types: ColumnTypes) => readonly string[];
};

/** Number n is at index n − 1. A migration that was released is never edited: append another. */
export const migrations: readonly Migration[] = [
  {
    name: "initial",
    statements: ({ bytes }) => [
      `create table rows (id text primary key, kind text not null, input text not null, source text not null,
        origin text not null, uniform integer not null, split text not null, propensity double precision not null,
        created_at bigint not null)`,
      "create index rows_by_split on rows (split, id)",
      `create table row_sources (row_id text not null, source text not null, first_seen bigint not null,
        last_seen bigint not null, primary key (row_id, source))`,
      "create index row_sources_by_source on row_sources (source, last_seen)",
      "create index row_sources_by_last_seen on row_sources (last_seen)",
      "create table rejections (source text primary key, code text not null, message text not null, at bigint not null)",
      `create table files (path text primary key, name text not null, row_id text not null, size_bytes bigint not null,
        modified_ms double precision not null)`,
      "create index files_by_name on files (name)",
      "create table gold (row_id text primary key, value text not null)",
      `create table annotations (id text primary key, row_id text not null, at bigint not null, annotator text not null,
        pass integer, prompt_version text, value text, body text not null)`,
      "create index annotations_by_row on annotations (row_id, at, id)",
      "create index annotations_by_pass on annotations (prompt_version, pass, row_id)",
      "create table spend (id text primary key, reserved bigint, spent bigint not null, at bigint not null)",
      "create index spend_open on spend (at, id) where reserved is not null",
      `create table spend_totals (id integer primary key, reserved bigint not null, spent bigint not null,
        in_flight bigint not null)`,
      "insert into spend_totals (id, reserved, spent, in_flight) values (1, 0, 0, 0)",
      `create table labels (row_id text primary key, value text not null, weight double precision not null,
        basis text not null, distribution text, at bigint not null)`,
      "create table models (id text primary key, created_at bigint not null, card text not null)",
      `create table predictions (model_id text not null, row_id text not null, basis text not null,
        logits ${bytes} not null, primary key (model_id, row_id, basis))`,
      `create table policies (id text primary key, model_id text not null, certified integer not null,
        created_at bigint not null, body text not null)`,
      "create index policies_by_model on policies (model_id, created_at)",
      "create table policy_voids (policy_id text primary key, why text not null, at bigint not null)",
      `create table champions (version bigint primary key, model_id text not null, policy_id text not null,
        at bigint not null, reason text not null)`,
      `create table decisions (id text primary key, row_id text not null, at bigint not null, route text not null,
        uniform integer not null, policy_id text, body text not null)`,
      "create index decisions_by_time on decisions (at, id)",
      "create index decisions_by_policy on decisions (policy_id, at, id)",
      "create table rounds (round bigint primary key, body text not null)",
    ],
  },
  { name: "novelty of predictions", statements: () => ["alter table predictions add column novelty double precision"] },
  { name: "dissent of predictions", statements: () => ["alter table predictions add column dissent bigint"] },
  { name: "fields of a task", statements: () => fieldTables.flatMap(withField) },
  {
    // Recorded as the row's own failure, and answered from for ever: a proxy's page or half an answer. Asked again now; what
    // it cost stays in `spend`.
    name: "answers that were none",
    statements: () => [
      `delete from annotations where annotator = 'teacher' and value is null
        and (body like '%"message":"%answered something that is no answer:%' or body like '%"message":"%rejects the request (4__): <%')`,
    ],
  },
  {
    // What decisions that are there already add to it is counted afterwards, in small steps (`history.ts`).
    name: "history kept up to date",
    statements: () => [
      "alter table decisions add column counted integer not null default 0",
      `create table tallies (field text not null, hour bigint not null, route text not null, reason text not null,
        requests bigint not null, paid bigint not null, cost bigint not null, first_at bigint not null, last_at bigint not null,
        primary key (field, hour, route, reason))`,
      `create table latencies (field text not null, day bigint not null, step bigint not null, requests bigint not null,
        primary key (field, day, step))`,
      `create table uniform_outcomes (field text not null, policy_id text not null, at bigint not null, id text not null,
        row_id text not null, answered integer not null, student_value text, wrong integer,
        primary key (field, policy_id, at, id))`,
      "create index uniform_outcomes_by_row on uniform_outcomes (field, row_id)",
      `create table outcome_hours (field text not null, policy_id text not null, hour bigint not null,
        awaiting bigint not null, passed bigint not null, correct bigint not null, wrong bigint not null,
        primary key (field, policy_id, hour))`,
      `create table pending_labels (field text not null, id text not null, row_id text not null, at bigint not null,
        primary key (field, id))`,
      "create index pending_labels_by_row on pending_labels (field, row_id)",
      "create index pending_labels_by_time on pending_labels (field, at, id)",
      `create table history_progress (id integer primary key, field text not null, at bigint not null,
        decision text not null, done integer not null)`,
      `insert into history_progress (id, field, at, decision, done)
        select 1, '', -1, '', case when exists (select 1 from decisions) then 0 else 1 end`,
      "create table history_dropped (field text primary key, before_at bigint not null)",
    ],
  },
  {
    name: "a spent budget",
    statements: () => [
      "create table budget_refused (id integer primary key, needed bigint not null, at bigint not null)",
      `create table over_budget (field text primary key, requests bigint not null, first_at bigint not null,
        last_at bigint not null)`,
    ],
  },
  {
    // Traffic brings many rows and answers: what was ingested, and what people said, is found without reading them all.
    name: "what is rare among much traffic",
    statements: () => [
      "create index rows_by_origin on rows (origin, id)",
      "create index annotations_by_people on annotations (field, row_id, at, id) where annotator = 'person'",
    ],
  },
  {
    name: "room to write",
    statements: ({ bytes }) => [`create table write_probe (id integer primary key, filler ${bytes} not null)`],
  },
];

type FieldTable = {
  readonly name: string;
  /** As it was, in order, with its types; the first is the key's. */
  readonly columns: readonly string[];
  readonly indexes?: readonly string[];
};

/** What each field of a task has for itself. Its key then begins with the field; what was there before has none. */
const fieldTables: readonly FieldTable[] = [
  { name: "gold", columns: ["row_id text not null", "value text not null"] },
  {
    name: "annotations",
    columns: [
      "id text not null",
      "row_id text not null",
      "at bigint not null",
      "annotator text not null",
      "pass integer",
      "prompt_version text",
      "value text",
      "body text not null",
    ],
    indexes: [
      "by_row on annotations (field, row_id, at, id)",
      "by_pass on annotations (field, prompt_version, pass, row_id)",
    ],
  },
  {
    name: "labels",
    columns: [
      "row_id text not null",
      "value text not null",
      "weight double precision not null",
      "basis text not null",
      "distribution text",
      "at bigint not null",
    ],
  },
  { name: "models", columns: ["id text not null", "created_at bigint not null", "card text not null"] },
  {
    name: "policies",
    columns: [
      "id text not null",
      "model_id text not null",
      "certified integer not null",
      "created_at bigint not null",
      "body text not null",
    ],
    indexes: ["by_model on policies (field, model_id, created_at)"],
  },
  { name: "policy_voids", columns: ["policy_id text not null", "why text not null", "at bigint not null"] },
  {
    name: "champions",
    columns: [
      "version bigint not null",
      "model_id text not null",
      "policy_id text not null",
      "at bigint not null",
      "reason text not null",
    ],
  },
  {
    name: "decisions",
    columns: [
      "id text not null",
      "row_id text not null",
      "at bigint not null",
      "route text not null",
      "uniform integer not null",
      "policy_id text",
      "body text not null",
    ],
    indexes: ["by_time on decisions (field, at, id)", "by_policy on decisions (field, policy_id, at, id)"],
  },
  { name: "rounds", columns: ["round bigint not null", "body text not null"] },
];

/** A key cannot be changed: the table is made anew and filled from the old one, in the migration's own transaction. */
function withField({ name, columns, indexes = [] }: FieldTable): readonly string[] {
  const names = columns.map((column) => column.split(" ")[0]!);
  return [
    `create table ${name}_anew (field text not null, ${columns.join(", ")}, primary key (field, ${names[0]}))`,
    `insert into ${name}_anew select '', ${names.join(", ")} from ${name}`,
    `drop table ${name}`,
    `alter table ${name}_anew rename to ${name}`,
    ...indexes.map((index) => `create index ${name}_${index}`),
  ];
}

/**
 * Brings the database to this version. Safe when several processes do so at once: whoever gets the write lock first
 * migrates, the others find it done.
 * @throws FlywheelError `store_newer` where a newer version of flywheel wrote it
 */
export async function migrate(database: Database, types: ColumnTypes): Promise<void> {
  // Looked up without the write lock: whoever only wants to read need not wait for a long write of another process.
  if (await isCurrent(database.read)) return;
  await database.write(async (transaction) => {
    await sql`create table if not exists migrations (number bigint primary key, name text not null)`.execute(
      transaction,
    );
  });
  while (await database.write((transaction) => migrateOnce(transaction, types)));
}

async function isCurrent(db: Kysely<Schema>): Promise<boolean> {
  const tables = await db.introspection.getTables();
  return tables.some(({ name }) => name === "migrations") && (await pendingMigration(db)) === undefined;
}

async function migrateOnce(transaction: Transaction<Schema>, types: ColumnTypes): Promise<boolean> {
  const next = await pendingMigration(transaction);
  if (next === undefined) return false;
  for (const statement of next.statements(types)) await sql.raw(statement).execute(transaction);
  await transaction.insertInto("migrations").values({ number: next.number, name: next.name }).execute();
  return true;
}

async function pendingMigration(db: Kysely<Schema>): Promise<(Migration & { readonly number: number }) | undefined> {
  const query = db.selectFrom("migrations").select((eb) => eb.fn.max("number").as("number"));
  const version = Number((await query.executeTakeFirst())?.number ?? 0);
  if (version > migrations.length) throw newerError(version);
  const next = migrations[version];
  return next && { ...next, number: version + 1 };
}

function newerError(version: number): FlywheelError {
  return new FlywheelError(
    "store_newer",
    `the workspace has version ${version} of the store, this flywheel knows version ${migrations.length}`,
    { hint: "upgrade llm-flywheel, or choose another workspace with --dir" },
  );
}
