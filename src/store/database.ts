/**
 * @file What the nouns' files are written against: reads through Kysely, writes through group commit.
 */

import type { Kysely, Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export type Database = {
  readonly read: Kysely<Schema>;
  /** Runs `job` in one transaction; resolves once it is durable. See `GroupCommit.write`. */
  write<T>(job: (transaction: Transaction<Schema>) => Promise<T>): Promise<T>;
};

/** Records per multi-row insert: 9 columns stay far below SQLite's 32,766 and Postgres' 65,535 bound values. */
export const INSERT_CHUNK = 100;
/** Keys per `in (…)`. */
export const KEY_CHUNK = 500;

/** JSON that this store wrote itself, so its shape is trusted. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

/** A record without its absent fields, as JSON keeps it: what is read back equals what was written. */
export const toJson = (value: unknown): string => JSON.stringify(value);

export const toBit = (flag: boolean): number => (flag ? 1 : 0);
