/**
 * @file Group commit: writes that are asked for at the same time share one transaction and one flush to the disk.
 *
 * A flush costs from 0.2 ms to 10 ms whatever its size, so a thousand small durable writes a second are cheap together
 * and dear one by one. A job that fails takes nobody with it: where one does, all run again, each in a savepoint of its
 * own. As a rule none does, and savepoints would be a third of all statements.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { type Kysely, sql, type Transaction } from "kysely";
import { FlywheelError } from "../errors.ts";
import type { Run, WriteJob } from "./database.ts";
import type { Schema } from "./schema.ts";
import { storeClosed } from "./store-errors.ts";

/** Jobs per transaction: bounds how long the event loop and the other processes wait for one. */
const MAX_BATCH = 256;
/**
 * A transaction and its flush take half a millisecond of processor time whatever is in them: at two thousand jobs a second
 * on a fast disk, more than the jobs. Where so many came together that more are on their way, these are waited for; a few
 * writers never wait (Postgres' `commit_delay` and `commit_siblings`).
 */
const COMPANY = 8;
const GATHER_MS = 16;
/** Pause before the lock is asked for again; together with SQLite's own short wait. */
const LOCK_RETRY_MS = 10;

type Queued = {
  /** Runs the job; returns what to call once the batch is durable. Throws what the job throws. */
  run(transaction: Transaction<Schema>): Promise<() => void>;
  /** As `run`, in a savepoint: what the job throws is its own affair. */
  runApart(transaction: Transaction<Schema>): Promise<() => void>;
  fail(thrown: unknown): void;
};

export type GroupCommit = {
  /**
   * Runs `job` in a transaction that holds the write lock; resolves once its effect is durable. `job` awaits nothing but
   * its own queries: above all not another `write`, which would wait for itself. It may run twice, the first time for
   * nothing, and so changes nothing but the database.
   */
  write<T>(job: WriteJob<T>): Promise<T>;
  /** Waits for what was queued; later writes are refused with `store_closed`. */
  close(): Promise<void>;
};

export type GroupCommitOptions = {
  readonly db: Kysely<Schema>;
  /** On the connection of `db`: within a transaction that is open there. */
  readonly run: Run;
  /** Makes what was committed durable. */
  readonly flush: () => Promise<void>;
  /** How long the write lock is asked for before a write fails with `store_locked`. */
  readonly lockTimeoutMs: number;
};

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  let queue: Queued[] = [];
  let running: Promise<void> | undefined;
  let closed = false;

  const drain = async (): Promise<void> => {
    // One turn of the event loop gathers what concurrent callers ask for.
    await new Promise((resolve) => setImmediate(resolve));
    while (queue.length > 0) {
      const batch = queue.slice(0, MAX_BATCH);
      queue = queue.slice(MAX_BATCH);
      await commitBatch(batch, options);
      if (batch.length >= COMPANY) await sleep(GATHER_MS);
    }
    running = undefined;
  };

  return {
    write(job) {
      if (closed) return Promise.reject(storeClosed());
      return new Promise((resolve, reject) => {
        queue.push(toQueued((transaction) => job(transaction, options.run), { resolve, reject }));
        running ??= drain();
      });
    },
    async close() {
      closed = true;
      await running;
    },
  };
}

type Job<T> = (transaction: Transaction<Schema>) => Promise<T>;
type Settling<T> = { readonly resolve: (value: T) => void; readonly reject: (thrown: unknown) => void };

function toQueued<T>(job: Job<T>, { resolve, reject }: Settling<T>): Queued {
  return {
    async run(transaction) {
      const value = await job(transaction);
      return () => resolve(value);
    },
    async runApart(transaction) {
      await sql`savepoint job`.execute(transaction);
      try {
        const value = await job(transaction);
        await sql`release savepoint job`.execute(transaction);
        return () => resolve(value);
      } catch (thrown) {
        // A full disk makes SQLite roll the whole transaction back: then this fails too, and so does the batch.
        await rollBackJob(transaction, thrown);
        return () => reject(thrown);
      }
    },
    fail: reject,
  };
}

async function rollBackJob(transaction: Transaction<Schema>, cause: unknown): Promise<void> {
  try {
    await sql`rollback to savepoint job`.execute(transaction);
    await sql`release savepoint job`.execute(transaction);
  } catch {
    throw cause;
  }
}

async function commitBatch(batch: readonly Queued[], options: GroupCommitOptions): Promise<void> {
  try {
    const settle = await runBatch(batch, options);
    await options.flush();
    for (const resolve of settle) resolve();
  } catch (thrown) {
    for (const job of batch) job.fail(thrown);
  }
}

async function runBatch(batch: readonly Queued[], options: GroupCommitOptions): Promise<readonly (() => void)[]> {
  let failed = false;
  try {
    return await withLock(options, async (transaction) => {
      const runOrNote = (job: Queued) =>
        job.run(transaction).catch((thrown: unknown) => {
          failed = true;
          throw thrown;
        });
      return await inTurn(batch, runOrNote);
    });
  } catch (thrown) {
    // Where the commit itself failed there is nothing to try again.
    if (!failed) throw thrown;
    return await withLock(options, (transaction) => inTurn(batch, (job) => job.runApart(transaction)));
  }
}

async function inTurn<T>(batch: readonly Queued[], run: (job: Queued) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  for (const job of batch) results.push(await run(job));
  return results;
}

/** Waits between attempts, not within one: this process's reads go on while another process holds the lock. */
async function withLock<T>({ db, lockTimeoutMs }: GroupCommitOptions, job: Job<T>): Promise<T> {
  return retryWhileLocked(() => db.transaction().execute(job), lockTimeoutMs);
}

/** Asks again while another process holds the lock. On the real clock: no fake one can make that process let go. */
export async function retryWhileLocked<T>(attempt: () => T | Promise<T>, timeoutMs: number): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  while (true) {
    try {
      return await attempt();
    } catch (thrown) {
      if (!isLocked(thrown) || performance.now() >= deadlineMs) throw thrown;
      await sleep(LOCK_RETRY_MS);
    }
  }
}

function isLocked(thrown: unknown): boolean {
  return FlywheelError.isInstance(thrown) && thrown.code === "store_locked";
}
