/** @file What `model` may name: the task. Which student answers is the server's business, and in the headers. */

import type { Router } from "../route/router.ts";
import type { AnyTask } from "../task.ts";
import { RequestError } from "./request-error.ts";

/** `fruit`, or `flywheel/fruit` for clients that want a provider before the name. */
export function requireModel(model: string, task: AnyTask): void {
  if (model === task.name || model === `flywheel/${task.name}`) return;
  throw new RequestError(404, "model_not_found", `there is no model "${model}" here`, {
    param: "model",
    hint: `this server answers for "${task.name}"`,
  });
}

export function listModels(task: AnyTask, { fields }: Pick<Router, "fields">) {
  const at = fields.map(({ students }) => students.serving.pair?.champion.at ?? 0);
  const created = Math.floor(Math.max(...at) / 1_000);
  return { object: "list", data: [{ id: task.name, object: "model", created, owned_by: "flywheel" }] } as const;
}
