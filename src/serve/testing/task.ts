/** @file The task of the server's tests: two fruits in photos, and a teacher whose cost one can read. */

import { defineTask, type Task, type TaskDefinition } from "../../task.ts";

export type TaskChanges = Partial<Omit<TaskDefinition, "teacher">> & {
  readonly teacher?: Partial<TaskDefinition["teacher"]>;
};

/** A dollar for a thousand tokens. */
const price = { inputPerMillionUsd: 1_000, outputPerMillionUsd: 1_000 };

export function fruitPhotoTask(baseUrl: string, { teacher, ...changes }: TaskChanges = {}): Task {
  return defineTask({
    name: "fruit",
    input: "image",
    instructions: "Which fruit is it?",
    output: { kind: "choice", choices: ["apple", { value: "pear", synonyms: ["Birne"] }] },
    audit: { uniformRate: 0, rate: 0 },
    ...changes,
    teacher: { model: "compatible/fruit", baseUrl, price, timeoutMs: 5_000, ...teacher },
  });
}
