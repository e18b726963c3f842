/**
 * @file One labelling run: what it has done so far, and the reasons for which it stops before the rows are finished.
 *
 * One row's failure is that row's own affair; but a key that is refused, a teacher that is down or a question that no row
 * gets through would be met by a hundred thousand rows in turn, at a price. So the run stops at the first sign of the
 * former, and holds back failures from the record until one answer has shown that the teacher can answer at all.
 */

import type { TeacherError } from "../contracts.ts";
import type { FlywheelError } from "../errors.ts";
import type { RowId, TeacherAnnotation } from "../records.ts";
import type { AskContext, AskOutcome } from "./ask-teacher.ts";
import { type BudgetGate, createBudgetGate } from "./budget-gate.ts";
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
  /** The last such trouble. */
  readonly trouble?: TeacherError;
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

type Books = Pick<AskContext, "store" | "clock">;

type State = Books & {
  readonly stopping: AbortController;
  readonly gate: BudgetGate;
  stopReason: StopReason | undefined;
  tally: RunTally;
  /** Failures that are not yet recorded, row by row. */
  held: readonly (readonly TeacherAnnotation[])[];
  /** Rows in a row that the teacher was not there for. */
  silences: number;
};

export function startRun({ store, clock }: Books): LabelRun {
  const stopping = new AbortController();
  const onExhausted = () => stopFor(state, { kind: "budget" });
  const state: State = {
    store,
    clock,
    stopping,
    gate: createBudgetGate({ stop: stopping.signal, onExhausted }),
    stopReason: undefined,
    tally: { answered: 0, failed: 0, failures: [], deferred: 0, costUsd: 0 },
    held: [],
    silences: 0,
  };
  return {
    stop: stopping.signal,
    get stopReason() {
      return state.stopReason;
    },
    get tally() {
      return state.tally;
    },
    stopFor: (reason) => stopFor(state, reason),
    withinBudget: (ask) => state.gate.run(ask),
    record: (rowId, pass, outcome) => record(state, { rowId, pass }, outcome),
    finish: () => (isHopeless(state) ? dropHeld(state) : releaseHeld(state)),
  };
}

function stopFor(state: State, reason: StopReason): void {
  state.stopReason ??= reason;
  state.stopping.abort();
  state.gate.open();
}

type Asked = { readonly rowId: RowId; readonly pass: number };

async function record(state: State, asked: Asked, outcome: AskOutcome): Promise<void> {
  switch (outcome.kind) {
    case "answered":
      return await addAnswer(state, outcome.annotations);
    case "failed":
      addFailure(state, asked, outcome.error);
      return await holdFailure(state, outcome);
    case "unreadable":
      return addFailure(state, asked, outcome.error);
    case "unavailable":
      return addSilence(state, outcome.error);
    case "blocked":
      return stopFor(state, { kind: "error", error: outcome.error });
    case "over-budget":
    case "stopped":
      return;
    default:
      outcome satisfies never;
  }
}

async function addAnswer(state: State, annotations: readonly TeacherAnnotation[]): Promise<void> {
  const { tally } = state;
  state.silences = 0;
  state.tally = { ...tally, answered: tally.answered + 1, costUsd: tally.costUsd + costOf(annotations) };
  await releaseHeld(state);
}

function addFailure(state: State, { rowId, pass }: Asked, { code, message }: FlywheelError): void {
  const { failed, failures } = state.tally;
  const named = failures.length < NAMED_FAILURES ? [...failures, { rowId, pass, code, message }] : failures;
  state.tally = { ...state.tally, failed: failed + 1, failures: named };
}

const costOf = (annotations: readonly TeacherAnnotation[]): number =>
  annotations.reduce((sum, { costUsd }) => sum + costUsd, 0);

type Failed = { readonly annotations: readonly TeacherAnnotation[]; readonly error: TeacherError };

async function holdFailure(state: State, { annotations, error }: Failed): Promise<void> {
  state.tally = { ...state.tally, costUsd: state.tally.costUsd + costOf(annotations) };
  state.held = [...state.held, annotations];
  if (state.tally.answered > 0) return await releaseHeld(state);
  if (state.held.length < HOPELESS_FAILURES) return;
  stopFor(state, { kind: "error", error });
  await dropHeld(state);
}

function addSilence(state: State, error: TeacherError): void {
  state.tally = { ...state.tally, deferred: state.tally.deferred + 1, trouble: error };
  state.silences++;
  const isLong = (error.retryAfterMs ?? 0) > LONGEST_WAIT_MS;
  if (isLong || state.silences >= HOPELESS_SILENCES) stopFor(state, { kind: "error", error });
}

/** Rows of a hopeless run that were still under way when it was stopped share its fate. */
const isHopeless = ({ stopReason, tally }: State): boolean => stopReason?.kind === "error" && tally.answered === 0;

async function releaseHeld(state: State): Promise<void> {
  const { held } = state;
  state.held = [];
  if (held.length > 0) await state.store.annotations.put(held.flat());
}

/** None of them got through: the question is at fault, so the rows stay to be asked under a better one. */
async function dropHeld(state: State): Promise<void> {
  const { held } = state;
  state.held = [];
  for (const { id, costUsd } of held.flat()) await state.store.spend.settle(id, costUsd, state.clock.now());
}
