/**
 * @file What the teacher still owes: audits whose answer has gone out already, and requests that were queued.
 *
 * The store is the queue: a decision that calls for a label, whose row no teacher has judged. So nothing that was
 * acknowledged is lost with a process. A process works off its own decisions at once, and those of others once they are old
 * enough for their process to have died or given up; two that pick the same row at the same moment send the same
 * idempotency key, and the first answer is kept.
 */

import type { Clock } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { type FieldScope, scopesOf } from "../fields.ts";
import type { Decision, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { isTeacherAnnotation, LIVE_PASS } from "../verdict.ts";
import { aborted } from "./deadline.ts";
import { knownAnswer, liveAnnotationId } from "./known-answer.ts";
import { createLimiter } from "./limiter.ts";
import type { TeacherLine } from "./teacher-line.ts";
import type { LoadTeacherInput, TeacherQuestion, TeacherReply } from "./teacher-outcome.ts";

export type Owed = Pick<Decision, "id" | "rowId" | "at">;

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
/** Looked at again in every round: covers clocks that differ and commits that came late. */
const OVERLAP_MS = 600_000;

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
  let since = 0;

  const settle = async (owed: Owed): Promise<boolean> => {
    try {
      const outcome = await limiter.run(() => line.ask(questionOf(owed.rowId, options), abandon.signal), stop.signal);
      if (outcome.kind === "unavailable") {
        refusals.set(owed.id, (refusals.get(owed.id) ?? 0) + 1);
        return false;
      }
      refusals.delete(owed.id);
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

  const owedNow = async (): Promise<readonly Owed[]> => {
    const startedAt = clock.now();
    const owed = await listOwed(scopes, { since, promptVersion: line.promptVersion });
    since = Math.min(startedAt - OVERLAP_MS, ...owed.slice(0, 1).map(({ at }) => at));
    return owed.filter(({ id }) => !hopeless.has(id));
  };

  const round = async (): Promise<void> => {
    const owed = await owedNow();
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
    depth: async () => (await owedNow()).length,
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

/** Decisions since then that call for a label which their row still lacks in their field, oldest first. */
async function listOwed(
  scopes: readonly FieldScope[],
  { since, promptVersion }: { readonly since: number; readonly promptVersion: string },
): Promise<readonly Owed[]> {
  // Fields of one request share its id, and one question answers them all.
  const owed = new Map<string, Owed>();
  for (const { store } of scopes) {
    for (const route of ["audited", "degraded"] as const) {
      for await (const decision of store.decisions.list({ route, since })) {
        if (!callsForLabel(decision) || owed.has(decision.id)) continue;
        if (!(await isJudged(decision, store, promptVersion))) owed.set(decision.id, decision);
      }
    }
  }
  return [...owed.values()].sort((a, b) => a.at - b.at);
}

/** A uniform request is labelled whatever became of it, or the uniform stream would miss what came during an outage. */
function callsForLabel({ route, degradedTo, uniform }: Decision): boolean {
  return route === "audited" || degradedTo === "queue" || (uniform && degradedTo === "answer-flagged");
}

/** By any teacher since the decision, or by today's at any time: an answer of an earlier prompt is no answer to this one. */
async function isJudged({ rowId, at }: Decision, store: Store, promptVersion: string): Promise<boolean> {
  const annotations = await store.annotations.ofRow(rowId);
  if (knownAnswer(annotations, promptVersion)) return true;
  return annotations.some((one) => isTeacherAnnotation(one) && one.pass === LIVE_PASS && one.at >= at);
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
