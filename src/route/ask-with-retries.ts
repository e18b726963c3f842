/**
 * @file One question to the teacher, in a few attempts: each is let through by the breaker, reserved against the budget
 * before it leaves, and settled after, so that attempts that were charged and failed count as well.
 */

import { BUDGET_EXHAUSTED } from "../budget.ts";
import { type Clock, type Teacher, TeacherError, type TeacherRequest } from "../contracts.ts";
import { messageOf } from "../errors.ts";
import { annotationsOf, fieldNames, givenIn, type Judged } from "../fields.ts";
import { createRng, fork, type Rng, type Seed } from "../math/random.ts";
import type { TeacherAnnotation } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { LIVE_PASS } from "../verdict.ts";
import { type Account, openAccount } from "./account.ts";
import type { Breaker } from "./breaker.ts";
import type { BudgetWatch } from "./budget-watch.ts";
import { abandonOn } from "./deadline.ts";
import { liveAnnotationId } from "./known-answer.ts";
import { isAboutRow, isPartlyAnswered, type Suspicion } from "./suspicion.ts";
import { type TeacherQuestion, type TeacherReply, unavailable } from "./teacher-outcome.ts";

const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5_000;
/** Somebody has to raise the budget first. */
const BUDGET_RETRY_AFTER_MS = 60_000;

export type AskOptions = {
  readonly store: Store;
  readonly task: AnyTask;
  readonly teacher: Teacher;
  readonly clock: Clock;
  readonly seed: Seed;
  readonly breaker: Breaker;
  readonly suspicion: Suspicion;
  readonly budget: BudgetWatch;
  readonly maxAttempts: number;
  readonly onAttemptFailed?: ((error: TeacherError) => void) | undefined;
  readonly signal: AbortSignal;
};

/** @throws what the store throws, or the signal's reason where it aborts between attempts */
export async function askWithRetries(question: TeacherQuestion, options: AskOptions): Promise<TeacherReply> {
  const account = openAccount(liveAnnotationId(question.rowId, options.teacher.promptVersion), options);
  try {
    return await attemptUntilHopeless(question, account, options);
  } finally {
    await account.close();
  }
}

async function attemptUntilHopeless(
  question: TeacherQuestion,
  account: Account,
  options: AskOptions,
): Promise<TeacherReply> {
  const { clock, seed, signal, maxAttempts } = options;
  const rng = createRng(fork(seed, "retry", question.rowId));
  for (let attempt = 1; ; attempt++) {
    const tried = await attemptOnce(question, account, options);
    if (tried.kind === "barred") return barred(tried.why, account.costUsd, options);
    if (tried.kind === "answered") return replied(tried.annotations, account);
    const pauseMs = Math.max(tried.error.retryAfterMs ?? 0, jitteredPauseMs(attempt, rng));
    const isHopeless = !tried.error.retryable || pauseMs > MAX_PAUSE_MS || signal.aborted;
    if (isHopeless || attempt >= maxAttempts) return await giveUp(question, tried.error, { account, ...options });
    await clock.sleep(pauseMs, signal);
  }
}

type Attempt =
  | { readonly kind: "answered"; readonly annotations: readonly TeacherAnnotation[] }
  | { readonly kind: "failed"; readonly error: TeacherError }
  | { readonly kind: "barred"; readonly why: "down" | "over-budget" };

async function attemptOnce(question: TeacherQuestion, account: Account, options: AskOptions): Promise<Attempt> {
  const { breaker, teacher, signal } = options;
  if (!breaker.tryPass()) return { kind: "barred", why: "down" };
  const request = await prepare(question, account, options);
  if (!request) return { kind: "barred", why: "over-budget" };
  const { failures } = options.suspicion;
  const reply = await abandonOn(teacher.ask(request, signal), signal).catch((thrown) => toTeacherError(thrown, signal));
  if (reply instanceof TeacherError) return await failed(reply, account, options);
  breaker.succeeded();
  const { usage, costUsd, latencyMs } = reply;
  const annotations = toAnnotations(question, { given: givenIn(reply), usage, costUsd, latencyMs }, options);
  await account.record(annotations, options.suspicion.answered(failures));
  return { kind: "answered", annotations };
}

async function failed(error: TeacherError, account: Account, options: AskOptions): Promise<Attempt> {
  tellBreaker(error, options);
  options.onAttemptFailed?.(error);
  await account.charge(error);
  return { kind: "failed", error };
}

/** What is about one row says neither that the teacher is well nor that it is down. */
function tellBreaker(error: TeacherError, { breaker, suspicion }: AskOptions): void {
  if (isPartlyAnswered(error)) breaker.succeeded();
  else if (isAboutRow(error) && !suspicion.isSuspect) breaker.withdrew();
  else breaker.failed(error.retryAfterMs);
}

/** Makes the row durable and reserves its cost; undefined where the budget does not allow the request. */
async function prepare(
  question: TeacherQuestion,
  account: Account,
  { teacher, breaker, budget }: AskOptions,
): Promise<TeacherRequest | undefined> {
  try {
    const { idempotencyKey } = account;
    const request = { input: await question.load(), pass: LIVE_PASS, idempotencyKey };
    const maxCostUsd = teacher.maxCostUsd(request);
    if (await account.reserve(maxCostUsd)) {
      budget.allowed(maxCostUsd);
      return request;
    }
    await budget.refused();
    breaker.withdrew();
    return undefined;
  } catch (thrown) {
    breaker.withdrew();
    throw thrown;
  }
}

/**
 * A failure that is about the row is its answer, kept so that it is not paid for again: at once where some fields were
 * answered, else as soon as the teacher has answered anything (`suspicion.ts`).
 */
async function giveUp(
  question: TeacherQuestion,
  error: TeacherError,
  options: AskOptions & { readonly account: Account },
): Promise<TeacherReply> {
  const { account, suspicion } = options;
  if (!isAboutRow(error)) return await giveUpForNow(error, account);
  const { code, message, usage, valid } = error;
  // Its attempts are settled already.
  const judged = { given: valid, failure: { code, message }, usage, costUsd: 0, latencyMs: 0 };
  const annotations = toAnnotations(question, judged, options);
  if (isPartlyAnswered(error)) await account.record(annotations, suspicion.answered(0));
  else if (becomesSuspect(annotations, error, options)) return await giveUpForNow(error, account);
  return replied(annotations, account);
}

function becomesSuspect(
  annotations: readonly TeacherAnnotation[],
  error: TeacherError,
  { suspicion, breaker }: AskOptions,
): boolean {
  const wasSuspect = suspicion.isSuspect;
  const isSuspect = suspicion.failed(annotations, error);
  if (isSuspect && !wasSuspect) breaker.open();
  return isSuspect;
}

async function giveUpForNow({ code, message, retryAfterMs }: TeacherError, account: Account): Promise<TeacherReply> {
  await account.close();
  return unavailable(code, message, { retryAfterMs, costUsd: account.costUsd });
}

const replied = (annotations: readonly TeacherAnnotation[], { costUsd }: Account): TeacherReply => ({
  kind: "replied",
  annotations: byField(annotations),
  isFresh: true,
  costUsd,
});

export const byField = (annotations: readonly TeacherAnnotation[]): Readonly<Record<string, TeacherAnnotation>> =>
  Object.fromEntries(annotations.map((annotation) => [annotation.field ?? "", annotation]));

function barred(why: "down" | "over-budget", costUsd: number, { breaker, task }: AskOptions): TeacherReply {
  if (why === "down") {
    const { retryAfterMs } = breaker;
    return unavailable("teacher_down", "teacher unavailable: circuit breaker open", { retryAfterMs, costUsd });
  }
  const message = `the budget of $${task.budgetUsd} does not allow another question`;
  return unavailable(BUDGET_EXHAUSTED, message, { retryAfterMs: BUDGET_RETRY_AFTER_MS, costUsd });
}

function toAnnotations(question: TeacherQuestion, judged: Judged, options: AskOptions): readonly TeacherAnnotation[] {
  return annotationsOf(annotationBase(question, options), fieldNames(options.task), judged);
}

function annotationBase(question: TeacherQuestion, { teacher, clock }: AskOptions) {
  return {
    id: liveAnnotationId(question.rowId, teacher.promptVersion),
    rowId: question.rowId,
    at: clock.now(),
    annotator: "teacher",
    teacher: teacher.id,
    simulated: teacher.simulated,
    pass: LIVE_PASS,
    promptVersion: teacher.promptVersion,
  } as const;
}

/** Whatever a teacher throws counts against it: an unknown error is no reason to fail the request. */
function toTeacherError(thrown: unknown, signal: AbortSignal): TeacherError {
  if (thrown instanceof TeacherError) return thrown;
  const code = signal.aborted ? "teacher_timeout" : "teacher_failed";
  return new TeacherError(code, messageOf(thrown), { retryable: true, inDoubt: true, cause: thrown });
}

/** Doubles with every attempt; between half and all of it, so that clients that failed together do not return together. */
function jitteredPauseMs(attempt: number, rng: Rng): number {
  return Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)) * (0.5 + rng.next() / 2);
}
