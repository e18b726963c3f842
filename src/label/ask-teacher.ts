/**
 * @file One row's question, from the reservation of its cost to the recorded answer, with everything that may go wrong in
 * between.
 *
 * The order is what makes it safe to kill: the cost is reserved durably before the request leaves, and the answer is
 * recorded and the reservation settled in one transaction. A reservation without an answer is therefore in doubt, and is
 * asked again under the same idempotency key; a provider that honours the key replays its answer at no charge.
 */

import {
  type Clock,
  isUselessAnswer,
  type Teacher,
  type TeacherAnswer,
  TeacherError,
  type TeacherFieldsAnswer,
  type TeacherInput,
  type TeacherRequest,
} from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { annotationsOf, fieldNames, givenIn } from "../fields.ts";
import { fork, type Seed } from "../math/random.ts";
import type { RowId, TeacherAnnotation } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { teacherAnnotationId } from "../verdict.ts";
import { idempotencyKeyOf } from "./idempotency-key.ts";
import type { Pace, Turn } from "./pace.ts";
import { modelOfPass } from "./prompts.ts";
import { LONGEST_WAIT_MS, outcomeOf, retryDelayMs } from "./retry.ts";

export type AskContext = {
  readonly store: Store;
  readonly task: AnyTask;
  readonly teacher: Teacher;
  /** One for everybody in this process who asks this teacher. */
  readonly pace: Pace;
  readonly clock: Clock;
  readonly seed: Seed;
};

export type Ask = {
  readonly rowId: RowId;
  /** 1, 2 or 3. */
  readonly pass: number;
  /** Called when its turn has come, so that only what is under way is in memory. */
  readonly loadInput: () => Promise<TeacherInput>;
  /** Told of a refusal that every row would meet, before the next in line gets a turn. */
  readonly onBlocked?: (error: TeacherError) => void;
  /** Told of everything that came back and is no label, attempt by attempt. */
  readonly onNoLabel?: (error: TeacherError) => void;
  /** No new attempt after this, but what is under way is waited for. */
  readonly stop?: AbortSignal;
  /** Aborts what is under way, after `stop`. The request may have been charged: it stays in doubt. */
  readonly signal?: AbortSignal;
};

export type AskOutcome =
  /** Recorded and settled. One annotation, or one for each of the task's fields. */
  | { readonly kind: "answered"; readonly annotations: readonly TeacherAnnotation[] }
  /**
   * This row will not get an answer, or not to every field. Its last charge is neither recorded nor settled yet: put the
   * annotations, or settle the reservation of their id with their cost.
   */
  | { readonly kind: "failed"; readonly annotations: readonly TeacherAnnotation[]; readonly error: TeacherError }
  /** Every attempt failed for reasons that pass. Worth asking later, under the same key. */
  | { readonly kind: "unavailable"; readonly error: TeacherError }
  /** The teacher would refuse every row: wrong key, wrong model. */
  | { readonly kind: "blocked"; readonly error: TeacherError }
  /** The row's payload cannot be loaded; nothing was sent. */
  | { readonly kind: "unreadable"; readonly error: FlywheelError }
  /** The budget does not cover one more request beside those under way; nothing was sent. */
  | { readonly kind: "over-budget" }
  /** `stop` fired before an answer came. */
  | { readonly kind: "stopped" };

/**
 * Asks until there is an answer, a final failure or `maxAttempts`.
 * @throws whatever `signal` was aborted with
 */
export async function askTeacher(context: AskContext, ask: Ask): Promise<AskOutcome> {
  const id = teacherAnnotationId({ rowId: ask.rowId, pass: ask.pass, promptVersion: context.teacher.promptVersion });
  const question: OpenQuestion = { context, ask, id, uselessAnswers: 0, isInDoubt: false };
  const { maxAttempts } = context.task.teacher;
  for (let attempt = 1; ; attempt++) {
    const step = await attemptOnce(question);
    if (step.kind !== "retry") return step;
    if (attempt >= maxAttempts || isHopeless(step.error)) return await giveUp(question, step.error);
    if (!(await waitForRetry(question, step.error, attempt))) return await giveUpUnanswered(question);
  }
}

type OpenQuestion = {
  readonly context: AskContext;
  readonly ask: Ask;
  /** Of the annotation, the reservation and the first idempotency key. */
  readonly id: string;
  uselessAnswers: number;
  /** A request left since the last certain reply, and nothing came back. */
  isInDoubt: boolean;
};

type Step = AskOutcome | { readonly kind: "retry"; readonly error: TeacherError };

async function attemptOnce(question: OpenQuestion): Promise<Step> {
  const turn = await takeTurn(question);
  if (!turn) return await giveUpUnanswered(question);
  try {
    const request = await prepare(question);
    return "kind" in request ? request : await send(question, request, turn);
  } finally {
    // Ending a turn twice changes nothing: this one only serves what was never sent.
    turn.giveBack();
  }
}

async function takeTurn({ context, ask }: OpenQuestion): Promise<Turn | undefined> {
  try {
    return await context.pace.acquire(ask.stop);
  } catch (thrown) {
    if (ask.stop?.aborted) return undefined;
    throw thrown;
  }
}

async function prepare(question: OpenQuestion): Promise<TeacherRequest | AskOutcome> {
  const { context, ask, id } = question;
  const { store, task, teacher, clock } = context;
  const input = await loaded(ask);
  if (FlywheelError.isInstance(input)) return { kind: "unreadable", error: input };
  const request = { input, pass: ask.pass, idempotencyKey: idempotencyKeyOf(id, question.uselessAnswers) };
  const maxCostUsd = teacher.maxCostUsd(request);
  const isReserved = await store.spend.reserve({ id, maxCostUsd, budgetUsd: task.budgetUsd, at: clock.now() });
  return isReserved ? request : { kind: "over-budget" };
}

async function loaded({ loadInput }: Ask): Promise<TeacherInput | FlywheelError> {
  try {
    return await loadInput();
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return thrown;
    throw thrown;
  }
}

async function send(question: OpenQuestion, request: TeacherRequest, turn: Turn): Promise<Step> {
  const { context, ask } = question;
  try {
    const answer = await context.teacher.ask(request, ask.signal);
    turn.end({ kind: "answered", exhaustedForMs: answer.exhaustedForMs });
    const annotations = toAnnotations(question, answer);
    await context.store.annotations.put(annotations);
    return { kind: "answered", annotations };
  } catch (thrown) {
    // The reservation stays, in doubt.
    if (ask.signal?.aborted) throw ask.signal.reason;
    if (!(thrown instanceof TeacherError)) throw thrown;
    if (isBlocking(thrown)) ask.onBlocked?.(thrown);
    if (isNoLabel(thrown)) ask.onNoLabel?.(thrown);
    turn.end(outcomeOf(thrown));
    return await failed(question, thrown);
  }
}

async function failed(question: OpenQuestion, error: TeacherError): Promise<Step> {
  if (isBlocking(error)) {
    await closeReservation(question);
    return { kind: "blocked", error };
  }
  switch (error.code) {
    case "teacher_off_schema":
      question.isInDoubt = false;
      return { kind: "retry", error };
    case "teacher_refused":
    case "teacher_bad_request":
      return { kind: "failed", error, annotations: toFailures(question, error) };
    default:
      question.isInDoubt = (question.isInDoubt && !isUselessAnswer(error)) || error.inDoubt;
      return { kind: "retry", error };
  }
}

const isBlocking = ({ code }: TeacherError): boolean =>
  code === "teacher_unauthorised" || code === "teacher_misconfigured";

/** Of several fields, some may have been answered: that is a label. */
const isNoLabel = ({ code, valid }: TeacherError): boolean =>
  noLabelCodes.includes(code) && Object.keys(valid).length === 0;
const noLabelCodes = ["teacher_off_schema", "teacher_unreadable", "teacher_refused", "teacher_bad_request"];

const isHopeless = ({ retryable, retryAfterMs }: TeacherError): boolean =>
  !retryable || (retryAfterMs ?? 0) > LONGEST_WAIT_MS;

/** @returns false where `stop` fired */
async function waitForRetry(question: OpenQuestion, error: TeacherError, attempt: number): Promise<boolean> {
  const { context, ask, id } = question;
  if (isUselessAnswer(error)) {
    // Paid for and of no use. The next request has a key of its own, else it would be answered the same.
    await context.store.spend.settle(id, error.costUsd, context.clock.now());
    question.uselessAnswers++;
  }
  try {
    const delayMs = retryDelayMs(error, attempt, fork(context.seed, id));
    if (delayMs > 0) await context.clock.sleep(delayMs, ask.stop);
    return true;
  } catch (thrown) {
    if (ask.stop?.aborted) return false;
    throw thrown;
  }
}

async function giveUp(question: OpenQuestion, error: TeacherError): Promise<AskOutcome> {
  if (error.code === "teacher_off_schema") return { kind: "failed", error, annotations: toFailures(question, error) };
  await closeReservation(question, isUselessAnswer(error) ? error.costUsd : 0);
  return { kind: "unavailable", error };
}

async function giveUpUnanswered(question: OpenQuestion): Promise<AskOutcome> {
  await closeReservation(question);
  return { kind: "stopped" };
}

/** What was charged is certain: the reservation goes. In doubt it stays, and is asked again under the same key. */
async function closeReservation({ context, id, isInDoubt }: OpenQuestion, chargedUsd = 0): Promise<void> {
  if (!isInDoubt) await context.store.spend.settle(id, chargedUsd, context.clock.now());
}

type Answer = TeacherAnswer | TeacherFieldsAnswer;

function toAnnotations(question: OpenQuestion, answer: Answer): readonly TeacherAnnotation[] {
  const { usage, costUsd, latencyMs } = answer;
  const judged = { given: givenIn(answer), usage, costUsd, latencyMs };
  return annotationsOf(annotationBase(question), fieldNames(question.context.task), judged);
}

/** Of the fields whose answer was no label; what was said to the others counts. */
function toFailures(question: OpenQuestion, error: TeacherError): readonly TeacherAnnotation[] {
  const { code, message, usage, costUsd, valid } = error;
  const judged = { given: valid, failure: { code, message }, usage, costUsd, latencyMs: 0 };
  return annotationsOf(annotationBase(question), fieldNames(question.context.task), judged);
}

function annotationBase({ context: { task, teacher, clock }, ask: { rowId, pass }, id }: OpenQuestion) {
  return {
    id,
    rowId,
    at: clock.now(),
    annotator: "teacher" as const,
    teacher: modelOfPass(task, pass),
    simulated: teacher.simulated,
    pass,
    promptVersion: teacher.promptVersion,
  };
}
