/**
 * @file What the teacher still owes: audits whose answer has gone out already, and requests that were queued.
 *
 * The store is the queue: it keeps which decisions call for a label that no teacher has given since. So nothing that was
 * acknowledged is lost with a process. A process works off its own decisions at once, and those of others once they are old
 * enough for their process to have died or given up; two that pick the same row at the same moment send the same
 * idempotency key, and the first answer is kept.
 */

import type { Clock } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { type FieldScope, scopesOf } from "../fields.ts";
import type { RowId } from "../records.ts";
import type { PendingLabel, Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { aborted } from "./deadline.ts";
import { liveAnnotationId } from "./known-answer.ts";
import { createLimiter } from "./limiter.ts";
import type { TeacherLine } from "./teacher-line.ts";
import type { LoadTeacherInput, TeacherQuestion, TeacherReply } from "./teacher-outcome.ts";

export type Owed = PendingLabel;

export type Backlog = {
  /** A durable decision of this process; `now` asks at once, else with the next round. */
  add(owed: Owed, when: "now" | "next-round"): void;
  /** Asks about everything that is owed, until the teacher is unavailable; by itself every `pollMs`. */
  round(): Promise<void>;
  /** How many decisions wait for the teacher, of every process. */
  depth(): Promise<number>;
  /** Starts nothing more and waits for what was asked, until `signal` aborts; the rest stays owed in the store. */
  close(signal: AbortSignal): Promise<void>;
};

export type BacklogOptions = {
  readonly store: Store;
  readonly task: AnyTask;
  readonly line: TeacherLine;
  readonly loadTeacherInput: LoadTeacherInput;
  readonly clock: Clock;
  readonly pollMs: number;
  /** Age at which a decision of another process, dead perhaps, is taken over. */
  readonly takeOverAfterMs: number;
  /** Questions of the backlog at once; the rest of the teacher's places is for those who wait. */
  readonly concurrency: number;
  readonly onLabelled?: ((owed: Owed, outcome: TeacherReply) => void) | undefined;
  readonly onTrouble?: ((error: unknown) => void) | undefined;
};

/** Past this, decisions wait in the store alone. */
const MAX_IN_MEMORY = 10_000;

export function createBacklog(options: BacklogOptions): Backlog {
  const { store, task, line, clock, onTrouble } = options;
  const scopes = scopesOf(store, task);
  const limiter = createLimiter(options.concurrency);
  const stop = new AbortController();
  const abandon = new AbortController();
  const own = new Set<string>();
  const active = new Map<string, Promise<boolean>>();
  /** Not asked again by this process: their payload is gone. */
  const hopeless = new Set<string>();
  /** How often the teacher did not take one: those come last, so that none keeps the others from their turn. */
  const refusals = new Map<string, number>();

  const settle = async (owed: Owed): Promise<boolean> => {
    try {
      const outcome = await limiter.run(() => line.ask(questionOf(owed.rowId, options), abandon.signal), stop.signal);
      if (outcome.kind === "unavailable") {
        refusals.set(owed.id, (refusals.get(owed.id) ?? 0) + 1);
        return false;
      }
      refusals.delete(owed.id);
      // An answer that is fresh has settled it where it was recorded.
      if (!outcome.isFresh) for (const scope of scopes) await scope.store.history.settlePending(owed.id);
      own.delete(owed.id);
      options.onLabelled?.(owed, outcome);
      return true;
    } catch (thrown) {
      if (stop.signal.aborted || abandon.signal.aborted) return false;
      hopeless.add(owed.id);
      onTrouble?.(thrown);
      return true;
    } finally {
      active.delete(owed.id);
    }
  };
  /** False where the teacher was unavailable. */
  const work = (owed: Owed): Promise<boolean> => {
    const running = active.get(owed.id) ?? settle(owed);
    active.set(owed.id, running);
    return running;
  };

  const round = async (): Promise<void> => {
    const owed = (await listOwed(scopes)).filter(({ id }) => !hopeless.has(id));
    if (owed.length === 0) return;
    const isTaken = await inFlightElsewhere(options);
    const mine = owed.filter((one) => own.has(one.id) || isAbandoned(one, isTaken));
    const refused = ({ id }: Owed) => refusals.get(id) ?? 0;
    await workOff(
      mine.toSorted((a, b) => refused(a) - refused(b)),
      work,
      options.concurrency,
    );
  };
  const isAbandoned = (owed: Owed, isTaken: (rowId: RowId) => boolean): boolean =>
    owed.at <= clock.now() - options.takeOverAfterMs && !isTaken(owed.rowId);

  const looping = loop(round, options, stop.signal);
  return {
    add(owed, when) {
      if (own.size >= MAX_IN_MEMORY) return;
      own.add(owed.id);
      if (when === "now") void work(owed);
    },
    round,
    depth: async () => Math.max(0, (await store.history.countPending(scopes.map(({ name }) => name))) - hopeless.size),
    async close(signal) {
      stop.abort(new FlywheelError("shutting_down", "the server is shutting down", { retryable: true }));
      await Promise.race([Promise.allSettled([...active.values(), looping]), aborted(signal)]);
      abandon.abort(stop.signal.reason);
      await Promise.allSettled([...active.values(), looping]);
    },
  };
}

/** As many at once as may run; stops at the first that the teacher cannot take. */
async function workOff(
  owed: readonly Owed[],
  work: (owed: Owed) => Promise<boolean>,
  concurrency: number,
): Promise<void> {
  const rest = owed.values();
  let isUp = true;
  const worker = async (): Promise<void> => {
    for (const one of rest) {
      isUp = (await work(one)) && isUp;
      if (!isUp) return;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

async function loop(round: () => Promise<void>, options: BacklogOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await round().catch((thrown: unknown) => options.onTrouble?.(thrown));
    // Rejected by the signal alone, which ends the loop.
    await options.clock.sleep(options.pollMs, signal).catch(() => undefined);
  }
}

/** What every field is owed, oldest first. */
async function listOwed(scopes: readonly FieldScope[]): Promise<readonly Owed[]> {
  // Fields of one request share its id, and one question answers them all.
  const owed = new Map<string, Owed>();
  for (const { store } of scopes) for await (const one of store.history.pendingLabels()) owed.set(one.id, one);
  return [...owed.values()].sort((a, b) => a.at - b.at);
}

/** Rows whose live question another process reserved money for a moment ago. */
async function inFlightElsewhere(options: BacklogOptions): Promise<(rowId: RowId) => boolean> {
  const { store, line, clock, takeOverAfterMs } = options;
  const open = await store.spend.open();
  const young = new Set(open.filter(({ at }) => at > clock.now() - takeOverAfterMs).map(({ id }) => id));
  return (rowId) => young.has(liveAnnotationId(rowId, line.promptVersion));
}

function questionOf(rowId: RowId, { store, loadTeacherInput }: BacklogOptions): TeacherQuestion {
  return {
    rowId,
    async load() {
      const row = await store.rows.get(rowId);
      if (row) return await loadTeacherInput(row);
      throw new FlywheelError("row_missing", `row ${rowId} is owed a label and not in the store`, {
        hint: "the workspace is incomplete: restore it from a backup",
      });
    },
  };
}
