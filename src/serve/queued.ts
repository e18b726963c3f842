/**
 * @file Requests that wait for the teacher. The answer to one is a decision whose every question is refused, with the id
 * under which the answer will be found: clients that know nothing of queues see a refusal, not a broken body.
 */

import type { Decision } from "../records.ts";
import { NO_USAGE } from "../route/escalation.ts";
import type { RoutedAnswer } from "../route/routed.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { isTeacherAnnotation, LIVE_PASS } from "../verdict.ts";
import { type DecisionBody, decisionBody } from "./decision-response.ts";
import { ownQuestion } from "./questions.ts";

/** `queued` until the teacher is asked; then `completed`, or `refused` where it declines to answer. */
export type QueuedStatus = "queued" | "completed" | "refused";
export type QueuedBody = DecisionBody & { readonly id: string; readonly status: QueuedStatus };

export function queuedBody(id: string, body: DecisionBody): QueuedBody {
  return { id, status: "queued", ...body };
}

/** What became of a queued request, as the task's own question; undefined where no request of this id was queued. */
export async function readQueued(id: string, store: Store, task: Task): Promise<QueuedBody | undefined> {
  const decision = await store.decisions.get(id);
  if (decision?.degradedTo !== "queue") return undefined;
  const answer = await answerSince(decision, store);
  const body = decisionBody(task.name, [ownQuestion(task)], { answer, usage: NO_USAGE });
  return { id, status: statusOf(answer), ...body };
}

async function answerSince({ rowId }: Decision, store: Store): Promise<RoutedAnswer> {
  const annotations = await store.annotations.ofRow(rowId);
  // The last one: the row may have been asked about under an earlier prompt as well.
  const live = annotations.filter(isTeacherAnnotation).findLast(({ pass }) => pass === LIVE_PASS);
  if (!live) return { kind: "queued" };
  const { value, probabilities, simulated, failure } = live;
  if (value === undefined) return { kind: "declined", code: "teacher_refused", message: "", ...failure };
  return { kind: "teacher", value, isSimulated: simulated, ...(probabilities ? { probabilities } : {}) };
}

function statusOf({ kind }: RoutedAnswer): QueuedStatus {
  if (kind === "queued") return "queued";
  return kind === "teacher" ? "completed" : "refused";
}
