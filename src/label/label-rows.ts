/**
 * @file `flywheel label`: every row through pass 1 and 2, disagreements through pass 3, then labels. Can be killed and
 * started again at any moment: what is recorded is not asked again, what was in flight is asked under the same key.
 */

import type { Clock, Progress, Teacher, TeacherError } from "../contracts.ts";
import { type FieldScope, hasFields, scopesOf } from "../fields.ts";
import type { Seed } from "../math/random.ts";
import { countValues, inField, ONE_ANSWER } from "../one-answer.ts";
import type { LabelValue, Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { type AnyTask, type FieldsTask, promptVersion, type Task } from "../task.ts";
import { type LabelAgreement, labelAgreement } from "./agreement.ts";
import { type AskContext, askTeacher } from "./ask-teacher.ts";
import { concurrently } from "./concurrently.ts";
import { deriveLabels, type LabelCounts } from "./derive-labels.ts";
import { type LabelRun, type RowFailure, startRun } from "./label-run.ts";
import { createPace, type Pace } from "./pace.ts";
import { countPasses, rowsToAsk } from "./passes.ts";
import { createRunProgress, type RunProgress } from "./run-progress.ts";
import { estimateTeacherAccuracy, type TeacherAccuracy } from "./teacher-accuracy.ts";
import { loadTeacherInput } from "./teacher-input.ts";

export type LabelRowsOptions<T extends AnyTask = AnyTask> = {
  readonly store: Store;
  readonly task: T;
  readonly teacher: Teacher;
  readonly clock: Clock;
  readonly seed: Seed;
  /** Shared where others in this process ask the same teacher. */
  readonly pace?: Pace | undefined;
  /** At most this many rows in each pass. */
  readonly limit?: number | undefined;
  /** Rows of this origin only; ingested ones by default, for traffic is asked as it comes. */
  readonly origin?: Row["origin"] | undefined;
  readonly progress?: Progress | undefined;
  /** Stops taking rows; what is in flight has `GRACE_MS` to come home, since it is paid for. */
  readonly signal?: AbortSignal | undefined;
};

/** What one run did. */
type RunSummary = {
  /** Absent where everything was asked. */
  readonly stopped?: "interrupted" | "budget";
  /** Answers by pass of this run; index 0 is pass 1. */
  readonly answers: readonly number[];
  /** Passes of rows that ended without an answer inside the schema, and the first of them. */
  readonly failed: number;
  readonly failures: readonly RowFailure[];
  /** Passes that a passing trouble kept from an answer: run again. */
  readonly deferred: number;
  /** What the last of these was. */
  readonly trouble?: { readonly code: string; readonly message: string };
  /** Requests found in doubt at the start: sent by a run that was killed, unanswered as far as we know. */
  readonly inDoubt: { readonly requests: number; readonly maxCostUsd: number };
  readonly simulated: boolean;
  /** Of this run's answers; and of everything that the teacher was ever asked here. */
  readonly costUsd: number;
  readonly spentUsd: number;
  readonly durationMs: number;
};

/** What is known of the labels since. */
export type LabelQuality = {
  readonly labels: LabelCounts;
  /** Absent until some row has two passes; never to be called accuracy. */
  readonly agreement?: LabelAgreement;
  /** Absent without gold labels and rulings. */
  readonly teacherAccuracy?: TeacherAccuracy;
};

export type LabelSummary = RunSummary & LabelQuality;

/** Of a task of several fields: one run asks them all. */
export type FieldsLabelSummary = RunSummary & { readonly fields: Readonly<Record<string, LabelQuality>> };

const GRACE_MS = 10_000;
/** Rows that step aside between attempts keep no turn: some more than turns keep the teacher busy. */
const SPARE_ROWS = 16;
/** Passes go once more over rows that a passing trouble deferred, while that helps. */
const MOST_SWEEPS = 3;

/**
 * @throws TeacherError `teacher_unauthorised`, `teacher_misconfigured`, `labels_unreadable`, or whatever keeps every row from an answer; what
 *   was labelled until then is kept, and labels are derived; FlywheelError `work_under_way` where another run labels here
 */
export async function labelRows(options: LabelRowsOptions<Task>): Promise<LabelSummary>;
export async function labelRows(options: LabelRowsOptions<FieldsTask>): Promise<FieldsLabelSummary>;
export async function labelRows(options: LabelRowsOptions): Promise<LabelSummary | FieldsLabelSummary>;
export async function labelRows(options: LabelRowsOptions): Promise<LabelSummary | FieldsLabelSummary> {
  const { store, task, clock, signal } = options;
  using _claim = store.claim("label");
  const startedAt = clock.now();
  const inDoubt = await store.spend.open();
  const run = startRun(options);
  using interruption = interruptible(run, { clock, signal });
  const answers = await runPasses({
    options,
    run,
    pace: paceOf(options, inDoubt.length),
    answers: new Map(),
    hardStop: interruption.signal,
  });
  await run.finish();
  const scopes = scopesOf(store, task);
  const labels = new Map<string, LabelCounts>();
  for (const scope of scopes) labels.set(scope.name, await deriveLabels(scope));
  if (run.stopReason?.kind === "error") throw run.stopReason.error;
  const { failed, failures, deferred, trouble, costUsd } = run.tally;
  const qualities: [string, LabelQuality][] = [];
  for (const scope of scopes) qualities.push([scope.name, await qualityOf(scope, labels.get(scope.name)!)]);
  const summary = {
    ...(run.stopReason && { stopped: run.stopReason.kind }),
    answers,
    failed,
    failures,
    deferred,
    ...(trouble && { trouble: { code: trouble.code, message: trouble.message } }),
    inDoubt: { requests: inDoubt.length, maxCostUsd: inDoubt.reduce((sum, { maxCostUsd }) => sum + maxCostUsd, 0) },
    simulated: options.teacher.simulated,
    costUsd,
    spentUsd: (await store.spend.totals()).spentUsd,
    durationMs: clock.now() - startedAt,
  };
  return hasFields(task) ? { ...summary, fields: Object.fromEntries(qualities) } : { ...summary, ...qualities[0]![1] };
}

async function qualityOf({ store, task }: FieldScope, labels: LabelCounts): Promise<LabelQuality> {
  const agreement = await labelAgreement(store, task);
  const teacherAccuracy = await estimateTeacherAccuracy(store, task);
  return { labels, ...(agreement && { agreement }), ...(teacherAccuracy && { teacherAccuracy }) };
}

/** What was in doubt is what was under way at once when a run was killed. */
function paceOf({ pace, clock, task }: LabelRowsOptions, reached: number): Pace {
  return pace ?? createPace({ clock, maxConcurrency: task.teacher.maxConcurrency, reached });
}

/** The first signal stops the run; its grace over, what is still in flight is aborted and stays in doubt. */
function interruptible(
  run: LabelRun,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal | undefined },
): Disposable & { readonly signal: AbortSignal } {
  const hard = new AbortController();
  const over = new AbortController();
  const afterGrace = () => {
    clock.sleep(GRACE_MS, over.signal).then(
      () => hard.abort(),
      () => undefined, // Everything came home in time.
    );
  };
  const interrupt = () => run.stopFor({ kind: "interrupted" });
  run.stop.addEventListener("abort", afterGrace, { once: true });
  signal?.addEventListener("abort", interrupt, { once: true });
  if (signal?.aborted) interrupt();
  return {
    signal: hard.signal,
    [Symbol.dispose]() {
      over.abort();
      signal?.removeEventListener("abort", interrupt);
    },
  };
}

type Work = {
  readonly options: LabelRowsOptions;
  readonly run: LabelRun;
  readonly pace: Pace;
  /** Of this run, by pass. */
  readonly answers: Map<number, number>;
  readonly hardStop: AbortSignal;
};

/**
 * The first two passes ask about the same rows and nothing of each other: they are one stretch, so that the second begins
 * where the last answers of the first are still awaited. The third is for rows on which those two differ.
 */
const stretchesOf = ({ teacher }: AnyTask): readonly (readonly number[])[] =>
  teacher.passes === 1 ? [[1]] : [[1, 2], [3]];

/** @returns answers by pass */
async function runPasses(work: Work): Promise<readonly number[]> {
  const { options, run, answers } = work;
  const done = await countPasses(options);
  for (const passes of stretchesOf(options.task)) {
    const totals = passes.map((pass) => limited(done.toAsk(pass), options.limit));
    const progress = createRunProgress({ ...options, passes, total: sumOf(totals), run });
    for (const pass of passes) answers.set(pass, 0);
    await runStretch(work, passes, progress);
  }
  return [...answers.values()];
}

const limited = (total: number | undefined, limit: number | undefined): number | undefined =>
  total === undefined ? undefined : Math.min(total, limit ?? total);

const sumOf = (totals: readonly (number | undefined)[]): number | undefined =>
  totals.reduce((sum, total) => (sum === undefined || total === undefined ? undefined : sum + total), 0);

async function runStretch(work: Work, passes: readonly number[], progress: RunProgress): Promise<void> {
  const { run, options } = work;
  for (let sweep = 1; sweep <= MOST_SWEEPS && !run.stopReason; sweep++) {
    const before = run.tally;
    await concurrently(questionsOf(work, passes), (question) => askOne(work, question, progress), {
      limit: options.task.teacher.maxConcurrency + SPARE_ROWS,
      stop: run.stop,
    });
    const [answered, deferred] = [run.tally.answered - before.answered, run.tally.deferred - before.deferred];
    if (deferred === 0 || answered === 0) return;
  }
}

async function* questionsOf({ options, answers }: Work, passes: readonly number[]): AsyncGenerator<Question> {
  for (const pass of passes) {
    const limit = (options.limit ?? Number.POSITIVE_INFINITY) - answers.get(pass)!;
    for await (const row of rowsToAsk({ ...options, pass, limit })) yield { row, pass };
    if (pass === 1) await warnOfOneAnswer(options);
  }
}

/** Before the other passes are paid for; what is still in flight is not counted. */
async function warnOfOneAnswer({ store, task }: LabelRowsOptions): Promise<void> {
  for (const scope of scopesOf(store, task)) {
    const query = { pass: 1, promptVersion: promptVersion(scope.task) };
    const values: LabelValue[] = [];
    for await (const { value } of scope.store.annotations.teacher(query)) if (value !== undefined) values.push(value);
    for (const warning of inField(scope, countValues(values))) process.emitWarning(warning, { code: ONE_ANSWER });
  }
}

type Question = { readonly row: Row; readonly pass: number };

async function askOne(work: Work, { row, pass }: Question, progress: RunProgress): Promise<void> {
  const { options, run, pace, answers, hardStop } = work;
  const context: AskContext = { ...options, pace };
  const ask = {
    rowId: row.id,
    pass,
    loadInput: () => loadTeacherInput(options.store, row),
    onBlocked: (error: TeacherError) => run.stopFor({ kind: "error", error }),
    onNoLabel: (error: TeacherError) => run.noLabel(row.id, error),
    stop: run.stop,
    signal: hardStop,
  };
  const asked = { rowId: ask.rowId, pass, failures: run.failures };
  try {
    const outcome = await run.withinBudget(() => askTeacher(context, ask));
    await run.record(asked, outcome);
    if (outcome.kind === "answered") answers.set(pass, answers.get(pass)! + 1);
    progress.ended(outcome.kind);
  } catch (thrown) {
    // Its grace is over. The reservation stays, and the next run asks again.
    if (!hardStop.aborted) throw thrown;
  }
}
