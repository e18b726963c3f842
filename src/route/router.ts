/**
 * @file The router: one input in, one durable decision out.
 *
 * Confident: the student answers. Unsure: the teacher does, and its answer becomes a row with an annotation. Whatever is
 * acknowledged is in the store before it is returned: the decision always, row and annotation of an escalation as well, and
 * the row of an audit (whose question is asked after the response, by this process or, should it die, by another).
 */

import type { BudgetState } from "../budget.ts";
import type { Clock, Student, Teacher, TeacherError } from "../contracts.ts";
import { type FieldScope, scopesOf } from "../fields.ts";
import type { Seed } from "../math/random.ts";
import type { Champion } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { type Backlog, createBacklog, type Owed } from "./backlog.ts";
import type { Breaker } from "./breaker.ts";
import { type DecideOptions, type DecideRequest, decide, type FieldLine } from "./decide.ts";
import type { Calibrate } from "./guess.ts";
import type { Routed, RoutedRow } from "./routed.ts";
import type { Serving } from "./serving.ts";
import { openStudentLine } from "./student-line.ts";
import { createTeacherLine, type TeacherLine } from "./teacher-line.ts";
import type { LoadTeacherInput, TeacherReply } from "./teacher-outcome.ts";

export type RouterOptions = RouterTimes & {
  readonly task: AnyTask;
  readonly store: Store;
  /** Absent: what the student may not answer is handled as while the teacher is down. */
  readonly teacher?: Teacher | undefined;
  readonly loadStudent: (champion: Champion) => Promise<Student>;
  readonly calibrate: Calibrate;
  readonly loadTeacherInput: LoadTeacherInput;
  readonly clock: Clock;
  /** Of the draws: the same seed and request id give the same draws in every process. */
  readonly seed: Seed;
  readonly breaker?: Breaker | undefined;
  readonly events?: RouterEvents | undefined;
  /** Monotonic, in fractions of a millisecond. `performance.now` by default. */
  readonly stopwatch?: (() => number) | undefined;
};

export type RouterTimes = {
  /** Of one request; then the task's policy for a teacher that is down takes over. 30 s by default. */
  readonly deadlineMs?: number | undefined;
  /** How often the store is asked for a new champion or a void. 1 s by default. */
  readonly pollMs?: number | undefined;
  /** How often the backlog is looked through. 15 s by default. */
  readonly backlogPollMs?: number | undefined;
  /** Age at which another process's unfinished audit or queued request is taken over. 2 min by default. */
  readonly takeOverAfterMs?: number | undefined;
};

export type RouterEvents = {
  /** `field`: of a task with several, whose champion it is. */
  readonly onServingSwapped?: (serving: Serving, field?: string) => void;
  readonly onServingTrouble?: (error: Error) => void;
  readonly onStudentFailed?: (error: unknown) => void;
  readonly onTeacherFailed?: (error: TeacherError) => void;
  /** Many rows in a row ended without a valid answer, with the last messages: taken as a fault of the teacher. Then, its end. */
  readonly onTeacherSuspect?: (examples: readonly string[]) => void;
  readonly onTeacherCleared?: () => void;
  /** The budget allows no more questions: what the student may not answer is degraded. Then, that it allows them again. */
  readonly onBudgetSpent?: (state: BudgetState) => void;
  readonly onBudgetRestored?: () => void;
  /** The backlog had an answer: an audit, or a request that was queued. */
  readonly onBacklogLabelled?: (owed: Owed, reply: TeacherReply) => void;
  readonly onBacklogTrouble?: (error: unknown) => void;
};

export type Router = {
  /** @throws what the store throws, what `input` was rejected with, or the signal's reason */
  decideRow(request: DecideRequest): Promise<RoutedRow>;
  /** Of a task of one output, its one field. */
  decide(request: DecideRequest): Promise<Routed>;
  /** Follows the store at once instead of at the next poll. */
  reload(): Promise<void>;
  /** What serves each field of the task, in its order. */
  readonly fields: readonly FieldLine[];
  /** Of the first field: of a task of one output, of all there is. */
  readonly serving: Serving;
  /** Why the store's champion could not be followed; undefined while all is well. */
  readonly trouble: Error | undefined;
  readonly teacher: Pick<TeacherLine, "isPresent" | "isUp" | "lastExchange">;
  readonly promptVersion: string;
  readonly backlog: Pick<Backlog, "depth" | "round">;
  /** Waits for questions under way until `signal` aborts, then abandons them; what is owed stays owed in the store. */
  close(signal: AbortSignal): Promise<void>;
};

export async function createRouter(options: RouterOptions): Promise<Router> {
  const lines = await openLines(options);
  const { fields, teacherLine, backlog } = lines;
  const students = fields.map((field) => field.students);
  return {
    decideRow: (request) => decide(request, lines),
    async decide(request) {
      const [routed] = (await decide(request, lines)).fields.values();
      return routed!;
    },
    async reload() {
      await Promise.all(students.map((line) => line.reload()));
    },
    fields,
    get serving() {
      return students[0]!.serving;
    },
    get trouble() {
      return students.find(({ trouble }) => trouble)?.trouble;
    },
    teacher: teacherLine,
    promptVersion: teacherLine.promptVersion,
    backlog,
    async close(signal) {
      await backlog.close(signal);
      await teacherLine.close(signal);
      await Promise.all(students.map((line) => line.close(signal)));
    },
  };
}

async function openLines(options: RouterOptions): Promise<DecideOptions> {
  const { task, teacher, events = {} } = options;
  const teacherLine = createTeacherLine({
    ...options,
    teacher,
    onAttemptFailed: events.onTeacherFailed,
    onSuspect: events.onTeacherSuspect,
    onCleared: events.onTeacherCleared,
    onBudgetSpent: events.onBudgetSpent,
    onBudgetRestored: events.onBudgetRestored,
  });
  const open = async (scope: FieldScope): Promise<FieldLine> => {
    const students = await openStudentLine({
      ...options,
      store: scope.store,
      promptVersion: teacherLine.promptVersion,
      auditRate: task.audit.rate,
      pollMs: options.pollMs ?? 1_000,
      onSwap: (serving) => events.onServingSwapped?.(serving, scope.name === "" ? undefined : scope.name),
      onTrouble: events.onServingTrouble,
    });
    return { ...scope, students };
  };
  const fields = await Promise.all(scopesOf(options.store, task).map(open));
  const backlog = createBacklog({
    ...options,
    line: teacherLine,
    pollMs: options.backlogPollMs ?? 15_000,
    takeOverAfterMs: options.takeOverAfterMs ?? 120_000,
    concurrency: backlogPlaces(task),
    onLabelled: events.onBacklogLabelled,
    onTrouble: events.onBacklogTrouble,
  });
  const { deadlineMs = 30_000, stopwatch = () => performance.now() } = options;
  return { ...options, fields, teacherLine, backlog, deadlineMs, stopwatch, onStudentFailed: events.onStudentFailed };
}

/** A quarter of the teacher's places: three quarters stay free for callers that wait. */
function backlogPlaces({ teacher }: AnyTask): number {
  return Math.max(1, Math.floor(teacher.maxConcurrency / 4));
}
