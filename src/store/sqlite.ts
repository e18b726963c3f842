/**
 * @file The embedded store: `node:sqlite` in WAL mode, payloads and models in files beside it. No service to run.
 *
 * What a resolved write survives: the end of the process by any signal, because its frames are in the write-ahead log,
 * which then belongs to the kernel; and a power cut, because the log was flushed to the disk before the promise resolved.
 * SQLite's own flush (`synchronous=full`) would stop the event loop for as long as the disk takes. Instead it runs with
 * `synchronous=normal`, which keeps the database consistent but does not flush at commit, and this store flushes the log
 * from a thread of the pool, once for all writes that were asked for meanwhile. The log is read in order and each frame
 * is checksummed, so a flush after the commit is as good as one within.
 */

import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { FlywheelError } from "../errors.ts";
import { createAnnotationStore } from "./annotations.ts";
import { createBlobStore, sweepBlobs } from "./blobs.ts";
import { claimWork } from "./claims.ts";
import type { ClaimedWork, Store } from "./contract.ts";
import type { Database } from "./database.ts";
import { createDecisionStore } from "./decisions.ts";
import { createFileStore } from "./files.ts";
import { createGoldStore } from "./gold.ts";
import { createGroupCommit, retryWhileLocked } from "./group-commit.ts";
import { createHistory } from "./history.ts";
import { createLabelStore } from "./labels.ts";
import { migrate } from "./migrations.ts";
import { createModelStore } from "./models.ts";
import { createPolicyStore } from "./policies.ts";
import { createPredictionStore } from "./predictions.ts";
import { createRoundStore } from "./rounds.ts";
import { createRowStore } from "./rows.ts";
import type { Schema } from "./schema.ts";
import { createSpendStore } from "./spend.ts";
import { NodeSqliteDialect } from "./sqlite-dialect.ts";
import { storeReadOnly, toStoreError } from "./store-errors.ts";

/** SQLite's own wait for a lock stops the event loop: kept short, the rest is waited for asynchronously. */
const BUSY_TIMEOUT_MS = 20;
const LOCK_TIMEOUT_MS = 30_000;

export type SqliteStoreOptions = {
  /** Created where absent; holds `flywheel.sqlite`, `blobs/` and `models/`. */
  readonly directory: string;
  /** How long a write waits for another process to release the lock before it fails with `store_locked`. */
  readonly lockTimeoutMs?: number;
};

/**
 * As much as a full batch of decisions: on a full disk a page or two still fit into what the log has left, when decisions no
 * longer do.
 */
const PROBE_BYTES = 262_144;
const PROBE = "insert or replace into write_probe (id, filler) values (1, zeroblob(?))";

/**
 * Opens the store, creating or migrating it where needed. Several processes may have it open.
 * @throws FlywheelError `store_newer`, `store_corrupt`, `store_locked`, `store_full`, `store_read_only`,
 *   `store_not_a_folder`, `store_unsupported_disk`
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const directory = resolve(options.directory);
  const lockTimeoutMs = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
  const connection = await connect(directory, lockTimeoutMs);
  try {
    await migrate(connection.database, { bytes: "blob" });
    await sweepBlobs(join(directory, "blobs"), Date.now());
  } catch (thrown) {
    await connection.close();
    throw toStoreError(thrown, directory);
  }
  return toStore(directory, connection);
}

type Connection = { readonly database: Database; close(): Promise<void> };

function toStore(directory: string, { database, close }: Connection): Store {
  const shared = {
    rows: createRowStore(database),
    files: createFileStore(database),
    blobs: createBlobStore(join(directory, "blobs")),
    spend: createSpendStore(database),
    predictions: createPredictionStore(database),
    // The page is written all the same.
    probe: () => database.write(async (_, run) => void (await run(PROBE, [PROBE_BYTES]))),
    claim: (work: ClaimedWork) => claimWork(directory, work),
    [Symbol.asyncDispose]: close,
  };
  const historyOf = createHistory(database);
  const ofField = (field: string): Store => ({
    ...shared,
    history: historyOf(field),
    gold: createGoldStore(database, field),
    annotations: createAnnotationStore(database, field),
    labels: createLabelStore(database, field),
    models: createModelStore(database, { field, folder: join(directory, "models") }),
    policies: createPolicyStore(database, field),
    decisions: createDecisionStore(database, field),
    rounds: createRoundStore(database, field),
    field: ofField,
  });
  return ofField("");
}

async function connect(directory: string, lockTimeoutMs: number): Promise<Connection> {
  const path = join(directory, "flywheel.sqlite");
  const sqlite = await openDatabase(directory, path, lockTimeoutMs);
  // Closing any handle on the database file itself would drop SQLite's locks on it (POSIX); the log file carries none.
  const log = await openLog(`${path}-wal`, sqlite);
  const dialect = new NodeSqliteDialect(sqlite, path);
  const db = new Kysely<Schema>({ dialect });
  const commits = createGroupCommit({
    db,
    runNow: dialect.runNow,
    isInTransaction: () => sqlite.isTransaction,
    flush: () => log.datasync().catch((thrown: unknown) => Promise.reject(toStoreError(thrown, path))),
    lockTimeoutMs,
  });
  const close = async (): Promise<void> => {
    await commits.close();
    await log.close();
    // Not through Kysely: after this a late read is told that the store is closed.
    sqlite.close();
  };
  let closing: Promise<void> | undefined;
  return {
    database: {
      read: db,
      write: commits.write,
      together: commits.together,
      lastFlushMs: commits.lastFlushMs,
      runNow: dialect.runNow,
    },
    close: () => (closing ??= close()),
  };
}

async function openLog(path: string, sqlite: DatabaseSync): Promise<FileHandle> {
  try {
    return await open(path, "r+");
  } catch (thrown) {
    sqlite.close();
    throw toStoreError(thrown, path);
  }
}

async function openDatabase(directory: string, path: string, lockTimeoutMs: number): Promise<DatabaseSync> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (thrown) {
    throw folderError(thrown, directory);
  }
  return retryWhileLocked(() => {
    let sqlite: DatabaseSync | undefined;
    try {
      sqlite = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      configure(sqlite, path);
      return sqlite;
    } catch (thrown) {
      sqlite?.close();
      throw toStoreError(thrown, path);
    }
  }, lockTimeoutMs);
}

function folderError(thrown: unknown, directory: string): unknown {
  // On a read-only disk Node's recursive mkdir says only that the folder it could not make does not exist.
  if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT"))
    return toStoreError(thrown, directory);
  return storeReadOnly(directory, thrown);
}

function configure(sqlite: DatabaseSync, path: string): void {
  const mode = sqlite.prepare("pragma journal_mode = wal").get()?.["journal_mode"];
  if (mode !== "wal") {
    throw new FlywheelError("store_unsupported_disk", `${path} lies on a disk without shared memory (mode ${mode})`, {
      hint: "choose a workspace on a local disk with --dir; network file systems cannot carry the embedded store",
    });
  }
  sqlite.exec("pragma synchronous = normal; pragma temp_store = memory; pragma journal_size_limit = 67108864");
  // Ids are hashes, so a million rows touch every page of their indexes: with 2 MB of cache and a log that is folded in
  // every 4 MB, the defaults, each page would be written over and over.
  sqlite.exec("pragma cache_size = -12288; pragma wal_autocheckpoint = 16384");
  // The first read creates the log file.
  sqlite.prepare("select count(*) from sqlite_schema").get();
}
