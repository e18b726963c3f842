/**
 * @file The line to the teacher for live traffic: what is known already is not asked again, what several ask at once is
 * asked once, what is asked is reserved first and durable after, and a teacher that is down keeps nobody waiting.
 *
 * A caller may give up (its own deadline) while the question goes on: the answer is paid for, so it is recorded.
 */

import type { Clock, Teacher, TeacherError } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { fieldNames } from "../fields.ts";
import type { Seed } from "../math/random.ts";
import type { RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { type AnyTask, promptVersion as promptVersionOf } from "../task.ts";
import { askWithRetries, byField } from "./ask-with-retries.ts";
import { type Breaker, createBreaker, type Exchange } from "./breaker.ts";
import { type BudgetEvents, type BudgetWatch, createBudgetWatch } from "./budget-watch.ts";
import { abandonOn, aborted, startDeadline } from "./deadline.ts";
import { knownAnswers } from "./known-answer.ts";
import { createLimiter, type Limiter } from "./limiter.ts";
import { createSuspicion, type Suspicion, type SuspicionOptions } from "./suspicion.ts";
import { type TeacherQuestion, type TeacherReply, unavailable } from "./teacher-outcome.ts";

export type TeacherLine = {
  /** The version of the question; a certificate issued for another is void. */
  readonly promptVersion: string;
  /** False while the breaker is open, and where there is no teacher. */
  readonly isUp: boolean;
  readonly isPresent: boolean;
  readonly lastExchange: Exchange | undefined;
  /** Never rejects for a teacher's failure; rejects where the store fails, or `signal` aborts. */
  ask(question: TeacherQuestion, signal: AbortSignal): Promise<TeacherReply>;
  /** Waits for what was asked until `signal` aborts, then abandons the rest. */
  close(signal: AbortSignal): Promise<void>;
};

export type TeacherLineOptions = SuspicionOptions &
  BudgetEvents & {
    readonly store: Store;
    readonly task: AnyTask;
    /** Absent: every question is unavailable, except those whose answer is known. */
    readonly teacher: Teacher | undefined;
    readonly clock: Clock;
    readonly seed: Seed;
    readonly breaker?: Breaker | undefined;
    /** Attempts for one question, 3 by default: labelling's many are too slow for somebody who waits. */
    readonly maxAttempts?: number | undefined;
    readonly onAttemptFailed?: ((error: TeacherError) => void) | undefined;
  };

export function createTeacherLine(options: TeacherLineOptions): TeacherLine {
  const { task, teacher, clock } = options;
  const line: Line = {
    ...options,
    breaker: options.breaker ?? createBreaker({ clock }),
    suspicion: createSuspicion(options),
    budget: createBudgetWatch({ ...options, budgetUsd: task.budgetUsd }),
    promptVersion: teacher?.promptVersion ?? promptVersionOf(task),
    limiter: createLimiter(task.teacher.maxConcurrency),
    closing: new AbortController(),
  };
  const inFlight = new Map<RowId, Promise<TeacherReply>>();

  const start = (question: TeacherQuestion): Promise<TeacherReply> => {
    const outcome = recallOrAsk(question, line);
    inFlight.set(question.rowId, outcome);
    const forget = () => void inFlight.delete(question.rowId);
    // A rejection reaches whoever asked; this branch only tidies up.
    outcome.then(forget, forget);
    return outcome;
  };

  return {
    promptVersion: line.promptVersion,
    isPresent: teacher !== undefined,
    get lastExchange() {
      return line.breaker.lastExchange;
    },
    get isUp() {
      return teacher !== undefined && !line.breaker.isOpen;
    },
    async ask(question, signal) {
      const asked = inFlight.get(question.rowId);
      if (!asked) return await abandonOn(start(question), signal);
      return { ...(await abandonOn(asked, signal)), costUsd: 0 };
    },
    async close(signal) {
      const settled = Promise.allSettled([...inFlight.values()]);
      await Promise.race([settled, aborted(signal)]);
      line.closing.abort(new FlywheelError("shutting_down", "the server is shutting down", { retryable: true }));
      await settled;
    },
  };
}

type Line = TeacherLineOptions & {
  readonly breaker: Breaker;
  readonly suspicion: Suspicion;
  readonly budget: BudgetWatch;
  readonly promptVersion: string;
  readonly limiter: Limiter;
  readonly closing: AbortController;
};

/** Fields are asked together: where one is not known, all are asked. */
async function recallOrAsk(question: TeacherQuestion, line: Line): Promise<TeacherReply> {
  const known = { ...heldFor(question.rowId, line), ...(await knownAnswers(question.rowId, line)) };
  const isKnown = fieldNames(line.task).every((name) => known[name] !== undefined);
  return isKnown
    ? { kind: "replied", annotations: known, isFresh: false, costUsd: 0 }
    : await askInTurn(question, line);
}

const heldFor = (rowId: RowId, { suspicion }: Line) => byField(suspicion.recall(rowId) ?? []);

async function askInTurn(question: TeacherQuestion, line: Line): Promise<TeacherReply> {
  const { teacher, clock, task, closing, limiter, maxAttempts = 3 } = line;
  if (!teacher) return unavailable("no_teacher", "this server has no teacher");
  using deadline = startDeadline(clock, task.teacher.timeoutMs, closing.signal);
  const { signal } = deadline;
  try {
    return await limiter.run(() => askWithRetries(question, { ...line, teacher, maxAttempts, signal }), signal);
  } catch (thrown) {
    if (!signal.aborted || thrown !== signal.reason) throw thrown;
    return unavailable("teacher_timeout", `the teacher gave no answer within ${task.teacher.timeoutMs} ms`);
  }
}
