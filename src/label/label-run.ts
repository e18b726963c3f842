/**
 * @file One labelling run: what it has done so far, and the reasons for which it stops before the rows are finished.
 *
 * One row's failure is that row's own affair; but a key that is refused, a teacher that is down, a proxy that answers in
 * its place or a question that no row gets through would be met by a hundred thousand rows in turn, at a price. So the run
 * stops at the first sign of the former, and after `HOPELESS_ROWS` rows in a row that got something back and no label; and
 * it holds back failures from the record until a label that came later has shown that the teacher can answer.
 */

import type { TeacherError } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import type { RowId, TeacherAnnotation } from "../records.ts";
import type { AskContext, AskOutcome } from "./ask-teacher.ts";
import { type BudgetGate, createBudgetGate } from "./budget-gate.ts";
import { LONGEST_WAIT_MS } from "./retry.ts";

/** Rows in a row that got something back and no label, retries of one row counted once; and those that got nothing. */
export const HOPELESS_ROWS = 20;
/** As many are enough in a run that ends without a single label. */
const HOPELESS_ROWS_OF_ALL = 10;
const HOPELESS_SILENCES = 10;
/** As many of what came back are shown. */
const EXAMPLES = 3;
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
  /** What a question that is asked now has to say to `record`. */
  readonly failures: number;
  /** Asks until the outcome is one that the budget has no part in. */
  withinBudget(ask: () => Promise<AskOutcome>): Promise<AskOutcome>;
  record(asked: Asked, outcome: AskOutcome): Promise<void>;
  /** Of every attempt that brought something and no label. */
  noLabel(rowId: RowId, error: TeacherError): void;
  /** Writes what is held back, or drops it where the run was hopeless. */
  finish(): Promise<void>;
};

export type Asked = {
  readonly rowId: RowId;
  readonly pass: number;
  /** How many failures there had been when it was first asked. */
  readonly failures: number;
};

type Books = Pick<AskContext, "store" | "clock">;

type State = Books & {
  readonly stopping: AbortController;
  readonly gate: BudgetGate;
  stopReason: StopReason | undefined;
  tally: RunTally;
  /** Rows that got something back and no label since the last label, with what it was. */
  readonly unlabelled: Map<RowId, string>;
  /** Failures that no question asked after them has had an answer to disprove, row by row: not yet recorded. */
  held: readonly Held[];
  /** Rows in a row that the teacher was not there for. */
  silences: number;
};

/** `number`: of the failure, from 1. */
type Held = { readonly number: number; readonly annotations: readonly TeacherAnnotation[] };

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
    unlabelled: new Map(),
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
    get failures() {
      return state.tally.failed;
    },
    record: (asked, outcome) => record(state, asked, outcome),
    noLabel: (rowId, error) => noLabel(state, rowId, error),
    finish: () => finish(state),
  };
}

function stopFor(state: State, reason: StopReason): void {
  state.stopReason ??= reason;
  state.stopping.abort();
  state.gate.open();
}

async function record(state: State, asked: Asked, outcome: AskOutcome): Promise<void> {
  switch (outcome.kind) {
    case "answered":
      return await addAnswer(state, asked, outcome.annotations);
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

async function addAnswer(state: State, asked: Asked, annotations: readonly TeacherAnnotation[]): Promise<void> {
  const { tally } = state;
  state.silences = 0;
  state.unlabelled.clear();
  state.tally = { ...tally, answered: tally.answered + 1, costUsd: tally.costUsd + costOf(annotations) };
  await releaseHeld(state, asked.failures);
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
  state.held = [...state.held, { number: state.tally.failed, annotations }];
  // Some of its fields were answered: whoever does that can answer.
  if (Object.keys(error.valid).length === 0) return;
  state.unlabelled.clear();
  await releaseHeld(state);
}

async function finish(state: State): Promise<void> {
  const { unlabelled, tally } = state;
  if (tally.answered === 0 && unlabelled.size >= HOPELESS_ROWS_OF_ALL) {
    stopFor(state, { kind: "error", error: hopeless(unlabelled) });
  }
  await (isHopeless(state) ? dropHeld(state) : releaseHeld(state));
}

function noLabel(state: State, rowId: RowId, { message }: TeacherError): void {
  state.unlabelled.set(rowId, message);
  if (state.unlabelled.size >= HOPELESS_ROWS) stopFor(state, { kind: "error", error: hopeless(state.unlabelled) });
}

function hopeless(unlabelled: ReadonlyMap<RowId, string>): FlywheelError {
  const examples = [...new Set(unlabelled.values())].slice(-EXAMPLES).map((message) => `\n- ${message}`);
  return new FlywheelError(
    "labels_unreadable",
    `${unlabelled.size} rows in a row got no label, the last of them:${examples.join("")}`,
    {
      hint: "see above what came instead: check teacher.model, teacher.baseUrl and what stands between; the rows were not recorded as failed, so run the same command again",
    },
  );
}

function addSilence(state: State, error: TeacherError): void {
  state.tally = { ...state.tally, deferred: state.tally.deferred + 1, trouble: error };
  state.silences++;
  const isLong = (error.retryAfterMs ?? 0) > LONGEST_WAIT_MS;
  if (isLong || state.silences >= HOPELESS_SILENCES) stopFor(state, { kind: "error", error });
}

/** Where the teacher is at fault, so it is for the rows without a label since the last one, those under way included. */
const isHopeless = ({ stopReason }: State): boolean => stopReason?.kind === "error";

/** @param upTo number of the last failure to record */
async function releaseHeld(state: State, upTo = Number.POSITIVE_INFINITY): Promise<void> {
  const released = state.held.filter(({ number }) => number <= upTo);
  if (released.length === 0) return;
  state.held = state.held.filter(({ number }) => number > upTo);
  await state.store.annotations.put(released.flatMap(({ annotations }) => annotations));
}

/** The rows are not at fault: they stay to be asked again. What they cost is counted. */
async function dropHeld(state: State): Promise<void> {
  const { held } = state;
  state.held = [];
  for (const { id, costUsd } of held.flatMap(({ annotations }) => annotations))
    await state.store.spend.settle(id, costUsd, state.clock.now());
}
