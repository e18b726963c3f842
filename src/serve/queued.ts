/**
 * @file Requests that wait for the teacher. The answer to one is a decision whose every question is refused, with the id
 * under which the answer will be found: clients that know nothing of queues see a refusal, not a broken body.
 */

import { scopesOf } from "../fields.ts";
import type { Decision } from "../records.ts";
import { NO_USAGE } from "../route/escalation.ts";
import type { RoutedAnswer } from "../route/routed.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { isTeacherAnnotation, LIVE_PASS } from "../verdict.ts";
import { type DecisionBody, decisionBody } from "./decision-response.ts";
import { type Asked, ownQuestion } from "./questions.ts";

/** `queued` until the teacher is asked; then `completed`, or `refused` where it declines to answer. */
export type QueuedStatus = "queued" | "completed" | "refused";
export type QueuedBody = DecisionBody & { readonly id: string; readonly status: QueuedStatus };

export function queuedBody(id: string, body: DecisionBody): QueuedBody {
  return { id, status: "queued", ...body };
}

/**
 * What became of a queued request, as the task's own question; of several fields, of those that were queued. Undefined where
 * no request of this id was queued.
 */
export async function readQueued(id: string, store: Store, task: AnyTask): Promise<QueuedBody | undefined> {
  const asked: Asked[] = [];
  const fields = new Map<string, { readonly answer: RoutedAnswer }>();
  for (const scope of scopesOf(store, task)) {
    const decision = await scope.store.decisions.get(id);
    if (decision?.degradedTo !== "queue") continue;
    asked.push(ownQuestion(scope.name, scope.task));
    fields.set(scope.name, { answer: await answerSince(decision, scope.store) });
  }
  if (asked.length === 0) return undefined;
  const status = statusOf([...fields.values()].map(({ answer }) => answer));
  return { id, status, ...decisionBody(task.name, asked, { fields, usage: NO_USAGE }) };
}

async function answerSince({ rowId }: Decision, store: Store): Promise<RoutedAnswer> {
  const annotations = await store.annotations.ofRow(rowId);
  // The last one: the row may have been asked about under an earlier prompt as well.
  const live = annotations.filter(isTeacherAnnotation).findLast(({ pass }) => pass === LIVE_PASS);
  if (!live) return { kind: "queued" };
  const { value, probabilities, simulated, failure } = live;
  if (value === undefined) {
    return { kind: "declined", code: "teacher_refused", message: "", ...failure, isSimulated: simulated };
  }
  return { kind: "teacher", value, isSimulated: simulated, ...(probabilities ? { probabilities } : {}) };
}

/** One question answers all fields: while one waits, so do the others. */
function statusOf(answers: readonly RoutedAnswer[]): QueuedStatus {
  if (answers.some(({ kind }) => kind === "queued")) return "queued";
  return answers.some(({ kind }) => kind === "teacher") ? "completed" : "refused";
}
