/** @file Sends photos to a running server as any client would: over HTTP, in the shape of the Decisions API, a few at a time. */

import { readFile } from "node:fs/promises";
import type { Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import type { LabelValue } from "../records.ts";
import type { RequestIdOf } from "../serve/app.ts";
import type { Task } from "../task.ts";
import { classesOf } from "../task.ts";

/** Requests under way at once: enough to keep the server busy while the teacher takes its time over some of them. */
const concurrency = 16;

/** Our own clients name their requests by round and photo, so that the same seed draws the same audits. */
const requestIdHeader = "x-demo-request";

/** For the server that the demonstration talks to. */
export const demoRequestId: RequestIdOf = ({ headers }) => `req_${headers[requestIdHeader]}`;

export type Photo = { readonly path: string; readonly gold: LabelValue };

export type TrafficResult = {
  readonly requests: number;
  readonly escalated: number;
  /** Answers equal to gold: of all, and of those that the student gave. */
  readonly correct: number;
  readonly answeredCorrect: number;
};

type Answer = { readonly route: string; readonly isCorrect: boolean };

export async function sendTraffic(options: {
  readonly url: string;
  readonly task: Task;
  readonly photos: readonly Photo[];
  /** 1 for the first. */
  readonly round: number;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<TrafficResult> {
  const { photos, round, progress } = options;
  const waiting = photos.entries();
  const answers: Answer[] = [];
  const client = async () => {
    for (const [index, photo] of waiting) {
      answers.push(await ask({ ...photo, name: `${round}-${index}` }, options));
      progress?.({ stage: "traffic", done: answers.length, total: photos.length });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return summarise(answers);
}

async function ask(
  { path, gold, name }: Photo & { readonly name: string },
  { url, task, signal }: { readonly url: string; readonly task: Task; readonly signal?: AbortSignal | undefined },
): Promise<Answer> {
  const image_url = `data:image/jpeg;base64,${(await readFile(path)).toString("base64")}`;
  const choices = classesOf(task).map((value) => ({ value }));
  const response = await fetch(`${url}/v1/decisions`, {
    method: "POST",
    headers: { "content-type": "application/json", [requestIdHeader]: name },
    body: JSON.stringify({
      model: task.name,
      input: [{ role: "user", content: [{ type: "input_image", image_url }] }],
      questions: [{ type: "choice", name: "label", instructions: task.instructions, choices }],
    }),
    ...(signal && { signal }),
  });
  const body = await response.text();
  if (!response.ok) throw new FlywheelError("demo_request_failed", `${response.status} for ${path}: ${body}`);
  return { route: response.headers.get("x-flywheel-route") ?? "unknown", isCorrect: choiceOf(body) === gold };
}

/** The server's own response shape; a body of another shape answers nothing. */
function choiceOf(body: string): unknown {
  const { answers }: { answers?: readonly { readonly choice?: unknown }[] } = JSON.parse(body);
  return answers?.[0]?.choice;
}

function summarise(answers: readonly Answer[]): TrafficResult {
  const count = (is: (answer: Answer) => boolean) => answers.filter(is).length;
  const isLocal = ({ route }: Answer) => route === "answered" || route === "audited";
  return {
    requests: answers.length,
    escalated: count(({ route }) => route === "escalated"),
    correct: count(({ isCorrect }) => isCorrect),
    answeredCorrect: count((answer) => isLocal(answer) && answer.isCorrect),
  };
}
