/**
 * @file One request through the router: the students of the fields that it asks for are heard, the policies route, somebody
 * answers, the decisions are durable. A task of one output is a row of one field.
 */

import type { Clock, StudentInput } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { type FieldScope, hasFields, partOf } from "../fields.ts";
import type { Seed } from "../math/random.ts";
import type { Decision } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import type { Backlog } from "./backlog.ts";
import type { RouterInput } from "./content.ts";
import { abandonOn, startDeadline } from "./deadline.ts";
import { drawsOf } from "./draws.ts";
import { type Answered, answerFrom, askAboutRow, keepRow, usageOf } from "./escalation.ts";
import { explain } from "./explain.ts";
import { type Calibrate, type Guess, guessAtOnce, guessOf } from "./guess.ts";
import { type FieldQuestion, type Routing, routeRow } from "./policy.ts";
import type { Audit, Explained, Routed, RoutedRow } from "./routed.ts";
import type { Serving } from "./serving.ts";
import type { StudentLine } from "./student-line.ts";
import type { TeacherLine } from "./teacher-line.ts";
import type { LoadTeacherInput, TeacherReply } from "./teacher-outcome.ts";

/** One field in service. */
export type FieldLine = FieldScope & { readonly students: StudentLine };

export type DecideOptions = {
  readonly task: AnyTask;
  readonly store: Store;
  readonly clock: Clock;
  readonly seed: Seed;
  readonly calibrate: Calibrate;
  readonly loadTeacherInput: LoadTeacherInput;
  readonly fields: readonly FieldLine[];
  readonly teacherLine: TeacherLine;
  readonly backlog: Backlog;
  readonly deadlineMs: number;
  /** Monotonic, in fractions of a millisecond. */
  readonly stopwatch: () => number;
  readonly onStudentFailed?: ((error: unknown) => void) | undefined;
};

export type DecideRequest = {
  /** What the student is shown, at once. */
  readonly shown: StudentInput;
  /** The same with its identity; where that takes time, it is worked out while the student thinks. Rejects where it cannot be read. */
  readonly input: RouterInput | Promise<RouterInput>;
  /** Becomes the id of the decision, of every field's. */
  readonly requestId: string;
  /** Whether the student is asked for its reasons. */
  readonly isExplained?: boolean | undefined;
  /** Names of the fields that are asked for; all of the task's where absent. */
  readonly fields?: readonly string[] | undefined;
  /** Until the answer is due, recording included; the router's own deadline where absent. */
  readonly timeLeftMs?: number | undefined;
  /** When its signal aborts, nobody waits for the answer any more. Not asked for one where the answer takes no time. */
  readonly caller?: { readonly signal: AbortSignal } | undefined;
};

/** A student that has not answered by then counts as failed, so that time is left for the teacher. */
const STUDENT_SHARE_OF_DEADLINE = 0.25;

/** Kept back for what comes after the teacher: a decision that cannot be recorded must not be told. */
const recordingMs = (timeLeftMs: number): number => Math.min(1_000, timeLeftMs / 4);

/** @throws what the store throws, what `input` was rejected with, or the signal's reason */
export async function decide(request: DecideRequest, options: DecideOptions): Promise<RoutedRow> {
  const timeLeftMs = request.timeLeftMs ?? options.deadlineMs;
  const started: Started = { at: options.clock.now(), startedMs: options.stopwatch(), timeLeftMs };
  const asked = request.fields ? options.fields.filter(({ name }) => request.fields!.includes(name)) : options.fields;
  const atOnce = hearAtOnce(asked, request, options);
  if (atOnce) {
    const input = request.input instanceof Promise ? await request.input : request.input;
    const routings = routingsOf(request, atOnce, options);
    // Nobody to wait for but the store: no timer, no signal.
    if (routings.every(({ route }) => route === "answered")) {
      const answers = atOnce.map(ownAnswer);
      const step = { ...started, request, heard: atOnce, routings, input };
      return await record(step, { answers, reply: undefined, teacherMs: 0 }, options);
    }
  }
  using deadline = startDeadline(options.clock, timeLeftMs - recordingMs(timeLeftMs), request.caller?.signal);
  const hearing = atOnce ?? Promise.all(asked.map((field) => hearStudent(field, request, options)));
  const [heard, input] = await Promise.all([hearing, request.input]);
  // Only now: what cannot be read at all is no failure of the student.
  for (const { failure } of heard) if (failure !== undefined) options.onStudentFailed?.(failure);
  const routings = routingsOf(request, heard, options);
  const step = { ...started, request, heard, routings, input };
  const routedMs = options.stopwatch();
  const given = await answer(step, deadline.signal, options);
  const isEscalated = routings.some(({ route }) => route === "escalated");
  const teacherMs = isEscalated ? options.stopwatch() - routedMs : 0;
  request.caller?.signal.throwIfAborted();
  return await record(step, { ...given, teacherMs }, options);
}

type Started = { readonly at: number; readonly startedMs: number; readonly timeLeftMs: number };

/** The decisions are durable when it resolves. */
async function record(step: Step, outcome: Answers & { readonly teacherMs: number }, options: DecideOptions) {
  const { heard, startedMs, timeLeftMs } = step;
  const decisions = toDecisions(step, outcome, options.stopwatch() - startedMs);
  const withinMs = timeLeftMs - (options.stopwatch() - startedMs);
  const put = (decision: Decision, index: number) => heard[index]!.field.store.decisions.put([decision], withinMs);
  await (decisions.length === 1 ? put(decisions[0]!, 0) : Promise.all(decisions.map(put)));
  // Whoever is told now has waited for the write as well.
  const waitedMs = options.stopwatch() - startedMs;
  const told = decisions.map((decision) => ({ ...decision, latencyMs: waitedMs }));
  const audit = noteOwed(decisions, outcome.reply, options);
  const studentMs = Math.max(...heard.map((one) => one.studentMs));
  return toRoutedRow(heard, { ...outcome, decisions: told, audit, studentMs });
}

type Heard = {
  readonly field: FieldLine;
  readonly serving: Serving;
  readonly studentMs: number;
  readonly guess?: Guess;
  readonly explained?: Explained;
  /** Why there is no guess, where there should be one. */
  readonly failure?: unknown;
};

/** Undefined where one of the students needs time. */
function hearAtOnce(
  fields: readonly FieldLine[],
  { shown, isExplained }: DecideRequest,
  { calibrate, stopwatch }: DecideOptions,
): readonly Heard[] | undefined {
  if (!fields.every(({ students: { serving } }) => !serving.pair || serving.pair.shared.student.look)) return undefined;
  return fields.map((field): Heard => {
    const startedMs = stopwatch();
    const { serving } = field.students;
    const said = sayAtOnce(serving, shown, { calibrate, isExplained });
    return { field, serving, studentMs: stopwatch() - startedMs, ...said };
  });
}

function sayAtOnce(
  { pair }: Serving,
  shown: StudentInput,
  { calibrate, isExplained }: Pick<DecideOptions, "calibrate"> & Pick<DecideRequest, "isExplained">,
): Pick<Heard, "guess" | "explained" | "failure"> {
  if (!pair) return {};
  const { policy, shared } = pair;
  try {
    const guess = guessAtOnce(shared.student.look!(shown), { student: shared.student, policy, calibrate });
    return isExplained ? { guess, explained: explain(shared.student, shown) } : { guess };
  } catch (failure) {
    return { failure };
  }
}

/** The lease ends when the student does, not when we stop waiting: a session in use must not be disposed of. */
async function hearStudent(field: FieldLine, request: DecideRequest, options: DecideOptions): Promise<Heard> {
  const { shown, isExplained, caller } = request;
  const signal = caller?.signal;
  const { calibrate, clock, deadlineMs, stopwatch } = options;
  const startedMs = stopwatch();
  const lease = field.students.acquire();
  const { serving } = lease;
  using patience = startDeadline(clock, deadlineMs * STUDENT_SHARE_OF_DEADLINE, signal);
  const saying = guessWith(serving, shown, { calibrate, signal: patience.signal })
    .then((guess) => ({ guess, explained: isExplained ? explain(serving.pair?.shared.student, shown) : undefined }))
    .finally(() => lease[Symbol.dispose]());
  try {
    const { guess, explained } = await abandonOn(saying, patience.signal);
    return {
      field,
      serving,
      studentMs: stopwatch() - startedMs,
      ...(guess && { guess }),
      ...(explained && { explained }),
    };
  } catch (failure) {
    signal?.throwIfAborted();
    return { field, serving, studentMs: stopwatch() - startedMs, failure };
  }
}

async function guessWith(
  { pair }: Serving,
  shown: StudentInput,
  { calibrate, signal }: { readonly calibrate: Calibrate; readonly signal: AbortSignal },
): Promise<Guess | undefined> {
  if (!pair) return undefined;
  return await guessOf(shown, { student: pair.shared.student, policy: pair.policy, calibrate }, signal);
}

function routingsOf(
  { requestId }: DecideRequest,
  heard: readonly Heard[],
  { task, seed, fields }: DecideOptions,
): readonly Routing[] {
  const others = fields.filter((field) => heard.every((one) => one.field !== field));
  return routeRow({
    fields: heard.map(questionOf),
    together: hasFields(task) && task.answer === "together",
    othersAnswer: others.some(({ students }) => mayAnswer(students.serving)),
    draws: drawsOf(seed, requestId),
    uniformRate: task.audit.uniformRate,
  });
}

const mayAnswer = ({ pair, barrier }: Serving): boolean =>
  barrier === undefined && pair?.policy.threshold !== undefined;

function questionOf({ serving, guess }: Heard): FieldQuestion {
  return {
    value: guess?.value,
    confidence: guess?.confidence,
    novelty: guess?.novelty,
    dissent: guess?.dissent,
    rule: serving.pair?.policy,
    threshold: serving.pair?.policy.threshold,
    barrier: serving.barrier,
    auditRule: serving.auditRule,
  };
}

type Step = Started & {
  readonly request: DecideRequest;
  /** One for each field that is asked for; routings likewise. */
  readonly heard: readonly Heard[];
  readonly routings: readonly Routing[];
  readonly input: RouterInput;
};

/** `reply` is absent where nobody had to be asked before the answer. */
type Answers = { readonly answers: readonly Answered[]; readonly reply: TeacherReply | undefined };

async function answer(step: Step, deadline: AbortSignal, options: DecideOptions): Promise<Answers> {
  const { heard, routings, request, input, at } = step;
  // The draws are the row's, and so is what they decide: every field's routing says the same of them.
  const { uniform, census, propensity } = routings[0]!;
  const { requestId } = request;
  const escalation = { requestId, input, at, deadline, sampling: { uniform, census, propensity } };
  const needsTeacher = heard.map(({ guess }, index) => routings[index]!.route === "escalated" || !guess);
  if (routings.some(({ route }) => route === "audited")) await keepRow(escalation, options);
  const reply = needsTeacher.includes(true) ? await askAboutRow(escalation, options) : undefined;
  const answers: Answered[] = [];
  for (const [index, own] of heard.entries()) {
    const { field, guess } = own;
    const asked = reply && needsTeacher[index] ? reply : undefined;
    answers.push(
      asked ? await answerFrom(asked, { field: field.name, guess }, { escalation, options }) : ownAnswer(own),
    );
  }
  return { answers, reply };
}

/** The policy routes to the student only what the student has guessed. */
const ownAnswer = ({ guess }: Heard): Answered => ({ answer: { kind: "student", isFlagged: false, ...guess! } });

function toDecisions(step: Step, { answers, reply }: Answers, latencyMs: number): readonly Decision[] {
  const { request, input, at, routings, heard } = step;
  const costNano = (reply?.costUsd ?? 0) * NANO_PER_USD;
  return heard.map(({ guess, serving }, index): Decision => {
    const { answer: given, degradedTo, degradedFor } = answers[index]!;
    const routing = routings[index]!;
    return {
      id: request.requestId,
      rowId: input.rowId,
      at,
      route: degradedTo ? "degraded" : routing.route,
      ...(routing.route === "escalated" ? { reason: routing.reason } : {}),
      ...("value" in given ? { value: given.value } : {}),
      ...(guess ? { studentValue: guess.value, confidence: guess.confidence } : {}),
      ...(guess?.dissent !== undefined ? { dissent: guess.dissent } : {}),
      ...servedBy(serving),
      uniform: routing.uniform,
      propensity: routing.propensity,
      ...(degradedTo ? { degradedTo } : {}),
      ...(degradedFor ? { degradedFor } : {}),
      latencyMs,
      costUsd: heard.length === 1 ? (reply?.costUsd ?? 0) : partOf(costNano, index, heard.length) / NANO_PER_USD,
    };
  });
}

/** As the store counts money: the parts of the fields that were asked for add up to the last one. */
const NANO_PER_USD = 1e9;

function servedBy({ pair }: Serving): Partial<Decision> {
  if (!pair) return {};
  const { champion, policy } = pair;
  const threshold = policy.threshold === undefined ? {} : { threshold: policy.threshold };
  return { ...threshold, modelId: champion.modelId, policyId: champion.policyId };
}

/**
 * One question of the row answers whatever its fields are owed; what the teacher has replied to is owed no more. While the
 * teacher is down an audit stays owed, and is what it was drawn to be: its label comes late, not never.
 */
function noteOwed(
  decisions: readonly Decision[],
  reply: TeacherReply | undefined,
  { backlog, teacherLine }: Pick<DecideOptions, "backlog" | "teacherLine">,
): Audit {
  const audited = decisions.find(({ route }) => route === "audited");
  const queued = decisions.find(({ degradedTo }) => degradedTo === "queue");
  if (queued) backlog.add(queued, "next-round");
  else if (audited && reply?.kind !== "replied") backlog.add(audited, teacherLine.isUp ? "now" : "next-round");
  return reply?.kind === "replied" || (teacherLine.isUp && !queued) ? "asked" : "owed";
}

type Outcome = Answers & {
  readonly decisions: readonly Decision[];
  readonly audit: Audit;
  readonly studentMs: number;
  readonly teacherMs: number;
};

function toRoutedRow(heard: readonly Heard[], outcome: Outcome): RoutedRow {
  const { answers, decisions, reply, audit, studentMs, teacherMs } = outcome;
  const shared = {
    isCached: reply?.kind === "replied" && !reply.isFresh,
    usage: usageOf(reply),
    studentMs,
    teacherMs,
  };
  const fields = heard.map(({ field, serving, explained, failure }, index) => {
    const championVersion = serving.pair ? { championVersion: serving.pair.champion.version } : {};
    const { answer: given } = answers[index]!;
    const said = { answer: given, ...championVersion, ...(explained && { explained }), ...studentErrorOf(failure) };
    const decision = decisions[index]!;
    const audited = decision.route === "audited" ? { audit } : {};
    return [field.name, { decision, ...said, ...audited, ...shared }] as const;
  });
  return { fields: new Map(fields), ...shared };
}

/** What the caller can fix, such as a feature of another type. */
export const isInputFault = (failure: unknown): failure is FlywheelError =>
  FlywheelError.isInstance(failure) && failure.code.startsWith("feature_");

/** What the caller can fix is said; of what is wrong in here the code, for the message may name files. */
function studentErrorOf(failure: unknown): Pick<Routed, "studentError"> {
  if (!FlywheelError.isInstance(failure)) return {};
  const message = isInputFault(failure) ? failure.message : "the server's log says why";
  return { studentError: { code: failure.code, message } };
}
