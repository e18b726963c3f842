/**
 * @file What the nouns' files are written against: reads through Kysely, writes through group commit.
 */

import type { Kysely, Transaction } from "kysely";
import { FlywheelError, messageOf } from "../errors.ts";
import { inChunks } from "./pages.ts";
import type { Schema } from "./schema.ts";

export type Database = {
  readonly read: Kysely<Schema>;
  /** Runs `job` in one transaction, twice at need; resolves once it is durable. See `GroupCommit.write`. */
  write<T>(job: WriteJob<T>): Promise<T>;
  /**
   * For records behind which callers wait, such as decisions: a function that hands records over and resolves once they are
   * durable. What is handed over at the same time is one call of `write`. See `GroupCommit.together`.
   */
  together<R>(write: WriteRecords<R>): WriteTogether<R>;
  /** How long the last flush took that a commit waited for; 0 before the first. */
  readonly lastFlushMs: () => number;
  /** On the one connection: within the transaction of the `write` that calls it. */
  readonly runNow: RunNow;
};

/** @param withinMs time in which the write must begin, or it is refused with `store_locked` and never done */
export type WriteTogether<R> = (records: readonly R[], withinMs?: number) => Promise<void>;

/** Writes the records of any number of callers, at once; runs again for each of them alone where it throws. */
export type WriteRecords<R> = (run: RunNow, records: readonly R[]) => void;

/** @param run for statements whose text is at hand, in the same transaction */
export type WriteJob<T> = (transaction: Transaction<Schema>, run: Run) => Promise<T>;

/**
 * Runs a statement as it is spelled, with a value for each `?`. For those that run with every request of a teacher or
 * every row: Kysely takes longer to spell and to pass on a short statement than SQLite to run it.
 */
export type Run = (text: string, values: readonly Cell[]) => Promise<Outcome>;
/** As `Run`, at once. */
export type RunNow = (text: string, values: readonly Cell[]) => Outcome;
/** `changed` records; `rows` of a statement that returns some. */
export type Outcome = { readonly rows: readonly unknown[]; readonly changed: number };

/** Records per multi-row insert: 9 columns stay far below SQLite's 32,766 and Postgres' 65,535 bound values. */
export const INSERT_CHUNK = 100;
/** Keys per `in (…)`. */
export const KEY_CHUNK = 500;

/**
 * JSON that this store wrote itself, so its shape is trusted.
 * @param what it is, for whoever has to put it back: `policy 47da0f6f26db…`
 * @throws FlywheelError `record_damaged` where it is none, or not all of it
 */
export function fromJson<T>(text: string, what = "a record"): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new FlywheelError("record_damaged", `${what} in the store is damaged: ${messageOf(cause)}`, {
      hint: "restore the workspace from a backup; without one, `flywheel train` makes a model and a policy anew from its labels",
      cause,
    });
  }
}

/** A record without its absent fields, as JSON keeps it: what is read back equals what was written. */
export const toJson = (value: unknown): string => JSON.stringify(value);

export const toBit = (flag: boolean): number => (flag ? 1 : 0);

export type Cell = string | number | null | Uint8Array;

export type Insert<R> = {
  readonly table: keyof Schema;
  readonly columns: readonly (keyof R & string)[];
  /** What becomes of a record that is there already: `on conflict …`. */
  readonly conflict: string;
};

/**
 * Inserts many records, and returns how many were written. The text of a statement hangs on its number of records alone, so
 * it is made once: for a million rows Kysely would spend more time on spelling statements than SQLite on running them.
 */
export async function insertAll<R extends Readonly<Record<keyof R, Cell>>>(
  run: Run,
  insert: Insert<R>,
  records: readonly R[],
): Promise<number> {
  const { columns } = insert;
  let written = 0;
  for (const chunk of inChunks(records, INSERT_CHUNK)) {
    const values: Cell[] = [];
    for (const record of chunk) for (const column of columns) values.push(record[column]);
    written += (await run(insertText(insert, chunk.length), values)).changed;
  }
  return written;
}

/** By insert and number of records: spelling a statement, or a key for it, takes as long as running it. */
const texts = new WeakMap<object, Map<number, string>>();

function insertText<R>(insert: Insert<R>, count: number): string {
  const own = texts.get(insert) ?? new Map<number, string>();
  texts.set(insert, own);
  const known = own.get(count);
  if (known !== undefined) return known;
  const { table, columns, conflict } = insert;
  const record = `(${columns.map(() => "?").join(", ")})`;
  const text = `insert into ${table} (${columns.join(", ")}) values ${Array(count).fill(record).join(", ")} ${conflict}`;
  own.set(count, text);
  return text;
}

/** Random keys in order, equal ones as they came: each page of an index is then touched once. */
export const byKey =
  <R>(key: (record: R) => string) =>
  (a: R, b: R): number => {
    const [left, right] = [key(a), key(b)];
    return left < right ? -1 : Number(left > right);
  };
