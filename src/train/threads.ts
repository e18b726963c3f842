/** @file How many threads training and prediction may use. */

import { availableParallelism } from "node:os";
import type { Task } from "../task.ts";

/** The caller's wish, else the task's, else every core. */
export function threadsOf({ threads, task }: { readonly threads?: number | undefined; readonly task: Task }): number {
  return threads ?? task.student.threads ?? availableParallelism();
}
