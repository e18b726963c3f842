/** @file What `model` may name: the task. Which student answers is the server's business, and in the headers. */

import type { Router } from "../route/router.ts";
import type { Task } from "../task.ts";
import { RequestError } from "./request-error.ts";

/** `fruit`, or `flywheel/fruit` for clients that want a provider before the name. */
export function requireModel(model: string, task: Task): void {
  if (model === task.name || model === `flywheel/${task.name}`) return;
  throw new RequestError(404, "model_not_found", `there is no model "${model}" here`, {
    param: "model",
    hint: `this server answers for "${task.name}"`,
  });
}

export function listModels(task: Task, { serving }: Pick<Router, "serving">) {
  const created = Math.floor((serving.pair?.champion.at ?? 0) / 1_000);
  return { object: "list", data: [{ id: task.name, object: "model", created, owned_by: "flywheel" }] } as const;
}
