/**
 * @file Group commit: writes that are asked for at the same time share one transaction and one flush to the disk.
 *
 * A flush costs from 0.2 ms to 10 ms whatever its size, so a thousand small durable writes a second are cheap together
 * and dear one by one. A commit begins as soon as the one before is on the disk; what is asked for meanwhile is its company.
 * A job that fails takes nobody with it: where one does, all run again, each in a savepoint of its own. As a rule none does,
 * and savepoints would be a third of all statements.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { type Kysely, sql, type Transaction } from "kysely";
import { FlywheelError } from "../errors.ts";
import type { Run, RunNow, WriteJob, WriteRecords, WriteTogether } from "./database.ts";
import type { Schema } from "./schema.ts";
import { storeClosed, writeTooLate } from "./store-errors.ts";

/** Calls per transaction: bounds how long the event loop and the other processes wait for one. */
const MAX_BATCH = 256;
/**
 * A transaction and its flush take half a millisecond of processor time whatever is in them: at two thousand jobs a second
 * on a fast disk, more than the jobs. Where so many came together that more are on their way, these are waited for; a few
 * writers never wait (Postgres' `commit_delay` and `commit_siblings`), nor does anybody behind whom a caller waits.
 */
const COMPANY = 8;
const GATHER_MS = 16;
/** Turns of the event loop that may bring an urgent write company: as many as there are while callers keep coming. */
const MAX_TURNS = 16;
/** Pause before the lock is asked for again; together with SQLite's own short wait. */
const LOCK_RETRY_MS = 10;

type Queued = {
  /** How many calls it stands for. */
  readonly calls: number;
  readonly isUrgent: boolean;
  /** It is in a batch: no further call may join it. */
  seal?(): void;
  /** Runs it; returns what to call once the batch is durable. Throws what the job throws. */
  run(transaction: Transaction<Schema>): Promise<() => void>;
  /** As `run`, where nothing but statements is needed. */
  runNow?(): () => void;
  /** As `run`, every call in a savepoint: what one throws is its own affair. */
  runApart(transaction: Transaction<Schema>): Promise<() => void>;
  fail(thrown: unknown): void;
  /** Fails those callers whose time is over, and forgets what they wanted. */
  dropLate?(nowMs: number): void;
};

export type GroupCommit = {
  /**
   * Runs `job` in a transaction that holds the write lock; resolves once its effect is durable. `job` awaits nothing but
   * its own queries: above all not another `write`, which would wait for itself. It may run twice, the first time for
   * nothing, and so changes nothing but the database.
   */
  write<T>(job: WriteJob<T>): Promise<T>;
  /**
   * A way of writing records behind which callers wait: what is handed over at the same time is one call of `write`, in the
   * order in which it came, and waits for no other company. Resolves once the records are durable.
   */
  together<R>(write: WriteRecords<R>): WriteTogether<R>;
  lastFlushMs(): number;
  /** Waits for what was queued; later writes are refused with `store_closed`. */
  close(): Promise<void>;
};

export type GroupCommitOptions = {
  readonly db: Kysely<Schema>;
  /** On the connection of `db`: within a transaction that is open there. */
  readonly runNow: RunNow;
  readonly isInTransaction: () => boolean;
  /** Makes what was committed durable. */
  readonly flush: () => Promise<void>;
  /** How long the write lock is asked for before a write fails with `store_locked`. */
  readonly lockTimeoutMs: number;
};

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { runNow } = options;
  const run: Run = async (text, values) => runNow(text, values);
  let queue: Queued[] = [];
  let running: Promise<void> | undefined;
  let closed = false;
  /** Ends a pause in which only patient writes wait. */
  let hurry = Promise.withResolvers<void>();

  let flushMs = 0;
  const flush = async (): Promise<void> => {
    const startedMs = performance.now();
    await options.flush();
    flushMs = performance.now() - startedMs;
  };

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      await gather();
      const batch = takeBatch();
      const dropLate = () => {
        for (const job of [...batch, ...queue]) job.dropLate?.(performance.now());
      };
      await commitBatch(batch, { ...options, flush, dropLate });
      if (callsIn(batch) >= COMPANY && !batch.some(({ isUrgent }) => isUrgent)) await patience();
    }
    running = undefined;
  };

  /** A turn of the event loop gathers what concurrent callers ask for, and more turns as long as each brings somebody. */
  const gather = async (): Promise<void> => {
    for (let [turn, calls] = [0, 0]; turn < MAX_TURNS && calls < callsIn(queue) && calls < MAX_BATCH; turn++) {
      calls = callsIn(queue);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  const patience = async (): Promise<void> => {
    hurry = Promise.withResolvers();
    const over = new AbortController();
    if (!queue.some(({ isUrgent }) => isUrgent)) {
      await Promise.race([sleep(GATHER_MS, undefined, { signal: over.signal }).catch(() => undefined), hurry.promise]);
    }
    over.abort();
  };

  const takeBatch = (): readonly Queued[] => {
    let [size, calls] = [0, 0];
    while (size < queue.length && (size === 0 || calls + queue[size]!.calls <= MAX_BATCH))
      calls += queue[size++]!.calls;
    const batch = queue.slice(0, size);
    queue = queue.slice(size);
    for (const job of batch) job.seal?.();
    return batch;
  };

  const enqueue = (job: Queued): void => {
    queue.push(job);
    if (job.isUrgent) hurry.resolve();
    running ??= drain();
  };

  return {
    write(job) {
      if (closed) return Promise.reject(storeClosed());
      return new Promise((resolve, reject) => {
        enqueue(toQueued((transaction) => job(transaction, run), { resolve, reject }));
      });
    },
    together<R>(write: WriteRecords<R>) {
      let open: Gathered<R> | undefined;
      return (records: readonly R[], withinMs = Number.POSITIVE_INFINITY) => {
        if (closed) return Promise.reject(storeClosed());
        if (!open || open.isSealed || open.calls >= MAX_BATCH) {
          open = new Gathered(write, runNow);
          enqueue(open);
        }
        return open.add(records, performance.now() + withinMs);
      };
    },
    lastFlushMs: () => flushMs,
    async close() {
      closed = true;
      await running;
    },
  };
}

const callsIn = (queued: readonly Queued[]): number => queued.reduce((sum, { calls }) => sum + calls, 0);

type Job<T> = (transaction: Transaction<Schema>) => Promise<T>;
type Settling<T> = { readonly resolve: (value: T) => void; readonly reject: (thrown: unknown) => void };

function toQueued<T>(job: Job<T>, { resolve, reject }: Settling<T>): Queued {
  return {
    calls: 1,
    isUrgent: false,
    async run(transaction) {
      const value = await job(transaction);
      return () => resolve(value);
    },
    runApart: (transaction) => apart(transaction, { job, resolve, reject }),
    fail: reject,
  };
}

async function apart<T>(
  transaction: Transaction<Schema>,
  { job, resolve, reject }: Settling<T> & { readonly job: Job<T> },
): Promise<() => void> {
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
}

async function rollBackJob(transaction: Transaction<Schema>, cause: unknown): Promise<void> {
  try {
    await sql`rollback to savepoint job`.execute(transaction);
    await sql`release savepoint job`.execute(transaction);
  } catch {
    throw cause;
  }
}

/** Records of several callers that are written in one go. */
class Gathered<R> implements Queued {
  readonly isUrgent = true;
  isSealed = false;
  readonly #write: WriteRecords<R>;
  readonly #run: RunNow;
  #callers: (Settling<void> & { readonly records: readonly R[]; readonly untilMs: number })[] = [];

  constructor(write: WriteRecords<R>, run: RunNow) {
    this.#write = write;
    this.#run = run;
  }

  get calls(): number {
    return this.#callers.length;
  }

  add(records: readonly R[], untilMs: number): Promise<void> {
    return new Promise((resolve, reject) => this.#callers.push({ records, untilMs, resolve, reject }));
  }

  dropLate(nowMs: number): void {
    if (this.#callers.every(({ untilMs }) => untilMs > nowMs)) return;
    const { late = [], rest = [] } = Object.groupBy(this.#callers, ({ untilMs }) =>
      untilMs > nowMs ? "rest" : "late",
    );
    this.#callers = rest;
    for (const { reject } of late) reject(writeTooLate());
  }

  seal(): void {
    this.isSealed = true;
  }

  runNow(): () => void {
    this.#write(
      this.#run,
      this.#callers.flatMap(({ records }) => records),
    );
    return () => {
      for (const { resolve } of this.#callers) resolve();
    };
  }

  async run(): Promise<() => void> {
    return this.runNow();
  }

  async runApart(transaction: Transaction<Schema>): Promise<() => void> {
    const settle: (() => void)[] = [];
    for (const { records, resolve, reject } of this.#callers) {
      const job = async () => this.#write(this.#run, records);
      settle.push(await apart(transaction, { job, resolve, reject }));
    }
    return () => {
      for (const one of settle) one();
    };
  }

  fail(thrown: unknown): void {
    for (const { reject } of this.#callers) reject(thrown);
  }
}

/** `dropLate` is called before every attempt: what nobody waits for any more must not be written. */
type CommitOptions = GroupCommitOptions & { readonly dropLate: () => void };

async function commitBatch(batch: readonly Queued[], options: CommitOptions): Promise<void> {
  try {
    const settle = await runBatch(batch, options);
    await options.flush();
    for (const resolve of settle) resolve();
  } catch (thrown) {
    for (const job of batch) job.fail(thrown);
  }
}

async function runBatch(batch: readonly Queued[], options: CommitOptions): Promise<readonly (() => void)[]> {
  let failed = false;
  const noting = (thrown: unknown): never => {
    failed = true;
    throw thrown;
  };
  try {
    return await withLock(options, batch, noting);
  } catch (thrown) {
    // Where the commit itself failed there is nothing to try again.
    if (!failed) throw thrown;
    return await retryWhileLocked(() => {
      options.dropLate();
      return options.db.transaction().execute((transaction) => inTurn(batch, (job) => job.runApart(transaction)));
    }, options.lockTimeoutMs);
  }
}

/** Waits between attempts, not within one: this process's reads go on while another process holds the lock. */
function withLock(
  options: CommitOptions,
  batch: readonly Queued[],
  noting: (thrown: unknown) => never,
): Promise<readonly (() => void)[]> {
  const attempt = batch.every((job) => job.runNow)
    ? () => transactNow(options, () => batch.map((job) => attemptNow(() => job.runNow!(), noting)))
    : () =>
        options.db.transaction().execute((transaction) => inTurn(batch, (job) => job.run(transaction).catch(noting)));
  return retryWhileLocked(() => {
    options.dropLate();
    return attempt();
  }, options.lockTimeoutMs);
}

/** In one piece: nobody else can use the connection meanwhile, and it costs a third of what Kysely's takes. */
function transactNow<T>({ runNow, isInTransaction }: GroupCommitOptions, job: () => T): T {
  runNow("begin immediate", []);
  try {
    const value = job();
    runNow("commit", []);
    return value;
  } catch (thrown) {
    // A full disk, a failing or a damaged one makes SQLite roll back by itself; to do so again would hide why.
    if (isInTransaction()) runNow("rollback", []);
    throw thrown;
  }
}

function attemptNow<T>(job: () => T, noting: (thrown: unknown) => never): T {
  try {
    return job();
  } catch (thrown) {
    return noting(thrown);
  }
}

async function inTurn<T>(batch: readonly Queued[], run: (job: Queued) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  for (const job of batch) results.push(await run(job));
  return results;
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
