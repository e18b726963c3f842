/**
 * @file One labelling run: what it has done so far, and the reasons for which it stops before the rows are finished.
 *
 * One row's failure is that row's own affair; but a key that is refused, a teacher that is down or a question that no row
 * gets through would be met by a hundred thousand rows in turn, at a price. So the run stops at the first sign of the
 * former, and holds back failures from the record until one answer has shown that the teacher can answer at all.
 */

import type { FlywheelError } from "../errors.ts";
import type { RowId, TeacherAnnotation } from "../records.ts";
import type { AskContext, AskOutcome } from "./ask-teacher.ts";
import { LONGEST_WAIT_MS } from "./retry.ts";

/** Failures without a single answer, and rows in a row that the teacher was not there for. */
const HOPELESS_FAILURES = 10;
const HOPELESS_SILENCES = 10;
/** Failures that the summary names; the record has them all. */
const NAMED_FAILURES = 20;

export type RowFailure = {
  readonly rowId: RowId;
  readonly pass: number;
  readonly code: string;
  readonly message: string;
};

export type StopReason =
  | { readonly kind: "interrupted" }
  | { readonly kind: "budget" }
  | { readonly kind: "error"; readonly error: FlywheelError };

export type RunTally = {
  readonly answered: number;
  readonly failed: number;
  /** The first of the failures. */
  readonly failures: readonly RowFailure[];
  /** Rows that a passing trouble kept from an answer: the next run asks them again. */
  readonly deferred: number;
  readonly costUsd: number;
};

export type LabelRun = {
  readonly stop: AbortSignal;
  readonly stopReason: StopReason | undefined;
  readonly tally: RunTally;
  stopFor(reason: StopReason): void;
  /** Asks until the outcome is one that the budget has no part in. */
  withinBudget(ask: () => Promise<AskOutcome>): Promise<AskOutcome>;
  record(rowId: RowId, pass: number, outcome: AskOutcome): Promise<void>;
  /** Writes what is held back, or drops it where the run was hopeless. */
  finish(): Promise<void>;
};

export function startRun({ store, clock }: Pick<AskContext, "store" | "clock">): LabelRun {
  const stopping = new AbortController();
  let stopReason: StopReason | undefined;
  let tally: RunTally = { answered: 0, failed: 0, failures: [], deferred: 0, costUsd: 0 };
  let held: TeacherAnnotation[] = [];
  let silences = 0;
  let underWay = 0;
  let change = Promise.withResolvers<void>();

  const announce = () => {
    const now = change;
    change = Promise.withResolvers();
    now.resolve();
  };

  const stopFor = (reason: StopReason) => {
    stopReason ??= reason;
    stopping.abort();
    announce();
  };

  const addFailure = (failure: RowFailure) => {
    const failures = tally.failures.length < NAMED_FAILURES ? [...tally.failures, failure] : tally.failures;
    tally = { ...tally, failed: tally.failed + 1, failures };
  };

  const release = async () => {
    const known = held;
    held = [];
    if (known.length > 0) await store.annotations.put(known);
  };

  /** None of them got through: the question is at fault, so the rows stay to be asked under a better one. */
  const dropHeld = async () => {
    const dropped = held;
    held = [];
    for (const { id, costUsd } of dropped) await store.spend.settle(id, costUsd, clock.now());
  };

  const answered = async (annotation: TeacherAnnotation) => {
    silences = 0;
    tally = { ...tally, answered: tally.answered + 1, costUsd: tally.costUsd + annotation.costUsd };
    await release();
  };

  const failed = async (failure: RowFailure, { annotation, error }: Extract<AskOutcome, { kind: "failed" }>) => {
    tally = { ...tally, costUsd: tally.costUsd + annotation.costUsd };
    addFailure(failure);
    held.push(annotation);
    if (tally.answered > 0) await release();
    else if (held.length >= HOPELESS_FAILURES) {
      stopFor({ kind: "error", error });
      await dropHeld();
    }
  };

  const unavailable = (error: Extract<AskOutcome, { kind: "unavailable" }>["error"]) => {
    tally = { ...tally, deferred: tally.deferred + 1 };
    silences++;
    const isLong = (error.retryAfterMs ?? 0) > LONGEST_WAIT_MS;
    if (isLong || silences >= HOPELESS_SILENCES) stopFor({ kind: "error", error });
  };

  return {
    stop: stopping.signal,
    get stopReason() {
      return stopReason;
    },
    get tally() {
      return tally;
    },
    stopFor,
    async withinBudget(ask) {
      while (true) {
        underWay++;
        let outcome: AskOutcome | undefined;
        try {
          outcome = await ask();
        } finally {
          underWay--;
          if (outcome?.kind !== "over-budget") announce();
        }
        if (outcome.kind !== "over-budget" || stopReason) return outcome;
        // What is under way is reserved at its most and will cost less: the end of one may make room for the next.
        if (underWay === 0) stopFor({ kind: "budget" });
        else await change.promise;
      }
    },
    async record(rowId, pass, outcome) {
      switch (outcome.kind) {
        case "answered":
          return await answered(outcome.annotation);
        case "failed":
          return await failed({ rowId, pass, code: outcome.error.code, message: outcome.error.message }, outcome);
        case "unreadable":
          return addFailure({ rowId, pass, code: outcome.error.code, message: outcome.error.message });
        case "unavailable":
          return unavailable(outcome.error);
        case "blocked":
          return stopFor({ kind: "error", error: outcome.error });
        case "over-budget":
        case "stopped":
          return;
        default:
          outcome satisfies never;
      }
    },
    async finish() {
      // Rows of a hopeless run that were still under way when it was stopped.
      if (stopReason?.kind === "error" && tally.answered === 0) await dropHeld();
      else await release();
    },
  };
}
