/**
 * @file One request through the router: the student is heard, the policy routes, somebody answers, the decision is durable.
 */

import type { Clock, StudentInput } from "../contracts.ts";
import type { Seed } from "../math/random.ts";
import type { Decision } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import type { Backlog } from "./backlog.ts";
import { type RouterInput, storeRow } from "./content.ts";
import { abandonOn, startDeadline } from "./deadline.ts";
import { drawsOf } from "./draws.ts";
import { type Answered, escalate, NO_USAGE } from "./escalation.ts";
import { explain } from "./explain.ts";
import { type Calibrate, type Guess, guessOf } from "./guess.ts";
import { type Routing, route } from "./policy.ts";
import type { Explained, Routed } from "./routed.ts";
import type { Serving } from "./serving.ts";
import type { StudentLine } from "./student-line.ts";
import type { TeacherLine } from "./teacher-line.ts";
import type { LoadTeacherInput } from "./teacher-outcome.ts";

export type DecideOptions = {
  readonly task: Task;
  readonly store: Store;
  readonly clock: Clock;
  readonly seed: Seed;
  readonly calibrate: Calibrate;
  readonly loadTeacherInput: LoadTeacherInput;
  readonly students: StudentLine;
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
  /** The same with its identity, which is worked out while the student thinks. Rejects where it cannot be read. */
  readonly input: Promise<RouterInput>;
  /** Becomes the decision's id. */
  readonly requestId: string;
  /** Whether the student is asked for its reasons. */
  readonly isExplained?: boolean | undefined;
  /** Of the caller: when it aborts, nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
};

/** A student that has not answered by then counts as failed, so that time is left for the teacher. */
const STUDENT_SHARE_OF_DEADLINE = 0.25;

/** @throws what the store throws, what `input` was rejected with, or the signal's reason */
export async function decide(request: DecideRequest, options: DecideOptions): Promise<Routed> {
  const { stopwatch, clock, store } = options;
  const [at, startedMs] = [clock.now(), stopwatch()];
  using deadline = startDeadline(clock, options.deadlineMs, request.signal);
  const [heard, input] = await Promise.all([hearStudent(request, options), request.input]);
  // Only now: what cannot be read at all is no failure of the student.
  if (heard.failure !== undefined) options.onStudentFailed?.(heard.failure);
  const routing = routingOf(request, heard, options);
  const step: Step = { ...request, ...heard, input, routing, at, deadline: deadline.signal };
  const routedMs = stopwatch();
  const answered = await answer(step, options);
  const teacherMs = routing.route === "escalated" ? stopwatch() - routedMs : 0;
  request.signal?.throwIfAborted();
  const decision = toDecision(step, answered, stopwatch() - startedMs);
  await store.decisions.put([decision]);
  noteOwed(decision, options.backlog);
  return { ...toRouted(decision, heard, answered), studentMs: heard.studentMs, teacherMs };
}

type Heard = {
  readonly serving: Serving;
  readonly studentMs: number;
  readonly guess?: Guess;
  readonly explained?: Explained;
  /** Why there is no guess, where there should be one. */
  readonly failure?: unknown;
};

/** The lease ends when the student does, not when we stop waiting: a session in use must not be disposed of. */
async function hearStudent({ shown, isExplained, signal }: DecideRequest, options: DecideOptions): Promise<Heard> {
  const { students, calibrate, clock, deadlineMs, stopwatch } = options;
  const startedMs = stopwatch();
  const lease = students.acquire();
  const { serving } = lease;
  using patience = startDeadline(clock, deadlineMs * STUDENT_SHARE_OF_DEADLINE, signal);
  const saying = guessWith(serving, shown, { calibrate, signal: patience.signal })
    .then((guess) => ({ guess, explained: isExplained ? explain(serving.pair?.shared.student, shown) : undefined }))
    .finally(() => lease[Symbol.dispose]());
  try {
    const { guess, explained } = await abandonOn(saying, patience.signal);
    return { serving, studentMs: stopwatch() - startedMs, ...(guess && { guess }), ...(explained && { explained }) };
  } catch (failure) {
    signal?.throwIfAborted();
    return { serving, studentMs: stopwatch() - startedMs, failure };
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

function routingOf({ requestId }: DecideRequest, { serving, guess }: Heard, { task, seed }: DecideOptions): Routing {
  return route({
    confidence: guess?.confidence,
    novelty: guess?.novelty,
    dissent: guess?.dissent,
    rule: serving.pair?.policy,
    threshold: serving.pair?.policy.threshold,
    barrier: serving.barrier,
    draws: drawsOf(seed, requestId),
    uniformRate: task.audit.uniformRate,
    auditRule: serving.auditRule,
  });
}

type Step = Omit<DecideRequest, "input"> &
  Heard & {
    readonly input: RouterInput;
    readonly routing: Routing;
    readonly at: number;
    readonly deadline: AbortSignal;
  };

async function answer(step: Step, options: DecideOptions): Promise<Answered> {
  const { routing, guess, input, requestId, at } = step;
  const { uniform, census, propensity } = routing;
  const sampling = { uniform, census, propensity };
  // The policy routes to the student only what the student has guessed.
  if (routing.route === "escalated" || !guess) return await escalate({ ...step, guess, sampling }, options);
  if (routing.route === "audited") await storeRow(input, sampling, { ...options, requestId, at });
  return { answer: { kind: "student", isFlagged: false, ...guess }, isCached: false, usage: NO_USAGE, costUsd: 0 };
}

function toDecision(step: Step, { answer, degradedTo, costUsd }: Answered, latencyMs: number): Decision {
  const { requestId, input, at, routing, guess, serving } = step;
  const { uniform, propensity } = routing;
  return {
    id: requestId,
    rowId: input.rowId,
    at,
    route: degradedTo ? "degraded" : routing.route,
    ...(routing.route === "escalated" ? { reason: routing.reason } : {}),
    ...("value" in answer ? { value: answer.value } : {}),
    ...(guess ? { studentValue: guess.value, confidence: guess.confidence } : {}),
    ...(guess?.dissent !== undefined ? { dissent: guess.dissent } : {}),
    ...servedBy(serving),
    uniform,
    propensity,
    ...(degradedTo ? { degradedTo } : {}),
    latencyMs,
    costUsd,
  };
}

function servedBy({ pair }: Serving): Partial<Decision> {
  if (!pair) return {};
  const { champion, policy } = pair;
  const threshold = policy.threshold === undefined ? {} : { threshold: policy.threshold };
  return { ...threshold, modelId: champion.modelId, policyId: champion.policyId };
}

function noteOwed(decision: Decision, backlog: Backlog): void {
  if (decision.route === "audited") backlog.add(decision, "now");
  if (decision.degradedTo === "queue") backlog.add(decision, "next-round");
}

function toRouted(decision: Decision, { serving, explained }: Heard, { answer, isCached, usage }: Answered) {
  const championVersion = serving.pair ? { championVersion: serving.pair.champion.version } : {};
  return { decision, answer, ...championVersion, isCached, usage, ...(explained && { explained }) };
}
