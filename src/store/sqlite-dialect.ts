/**
 * @file Kysely over `node:sqlite`: Kysely's own SQLite dialect, given a database of the shape that it expects.
 */

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { CompiledQuery, type DatabaseConnection, SqliteDialect, type SqliteDialectConfig, SqliteDriver } from "kysely";
import type { RunNow } from "./database.ts";
import { toStoreError } from "./store-errors.ts";

type KyselyDatabase = Exclude<SqliteDialectConfig["database"], (...given: never) => unknown>;
type KyselyStatement = ReturnType<KyselyDatabase["prepare"]>;

/** Statements kept prepared. Ours are a few dozen; chunked inserts add one each per chunk length. */
const STATEMENT_CACHE_SIZE = 256;

/** A dialect for `database`, which stays the caller's to close. Errors are the store's coded ones; `path` is named in them. */
export class NodeSqliteDialect extends SqliteDialect {
  readonly #database: DatabaseSync;
  readonly #adapted: KyselyDatabase;

  constructor(database: DatabaseSync, path: string) {
    const adapted = adapt(database, path);
    super({ database: adapted });
    this.#database = database;
    this.#adapted = adapted;
  }

  override createDriver(): SqliteDriver {
    return new NodeSqliteDriver(this.#database, this.#adapted);
  }

  /** Past Kysely, on the one connection: within the transaction that is open there. */
  readonly runNow: RunNow = (text, values) => {
    const statement = this.#adapted.prepare(text);
    if (statement.reader) return { rows: statement.all(values), changed: 0 };
    return { rows: [], changed: Number(statement.run(values).changes) };
  };
}

class NodeSqliteDriver extends SqliteDriver {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync, adapted: KyselyDatabase) {
    super({ database: adapted });
    this.#database = database;
  }

  /**
   * Takes the write lock when a transaction begins. A deferred one that reads before it writes fails at once, without
   * waiting, where another process wrote in between (https://www.sqlite.org/rescode.html#busy_snapshot).
   */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }

  /** A full disk, a failing or a damaged one makes SQLite roll back by itself; to do so again would hide why. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isTransaction) await super.rollbackTransaction(connection);
  }
}

function adapt(database: DatabaseSync, path: string): KyselyDatabase {
  const coded = <T>(call: () => T): T => {
    try {
      return call();
    } catch (thrown) {
      throw toStoreError(thrown, path);
    }
  };
  const cache = new Map<string, KyselyStatement>();
  return {
    close: () => database.close(),
    prepare(sql) {
      const statement = cache.get(sql) ?? coded(() => adaptStatement(database.prepare(sql), coded));
      cache.delete(sql);
      cache.set(sql, statement);
      if (cache.size > STATEMENT_CACHE_SIZE) cache.delete(cache.keys().next().value ?? "");
      return statement;
    },
  };
}

function adaptStatement(statement: StatementSync, coded: <T>(call: () => T) => T): KyselyStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => coded(() => statement.all(...parameters.map(bindable))),
    run: (parameters) => coded(() => statement.run(...parameters.map(bindable))),
    // A statement held open would pin the write-ahead log; the store reads in pages instead (`pages.ts`).
    iterate: () => {
      throw new TypeError("the store reads in pages and does not stream");
    },
  };
}

function bindable(value: unknown): SQLInputValue {
  if (value === null || typeof value === "number" || typeof value === "string" || typeof value === "bigint")
    return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`cannot bind a value of type ${typeof value}`);
}
