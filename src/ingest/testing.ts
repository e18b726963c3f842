/** @file Helpers that only tests of this folder import. */

import type { Clock } from "../contracts.ts";
import { defineTask, type Task, type TaskDefinition } from "../task.ts";

export const clock: Clock = { now: () => 42, sleep: () => Promise.resolve() };

/** A text task of two labels, one with a synonym. */
export const moodTask = (changes: Partial<TaskDefinition> = {}): Task =>
  defineTask({
    name: "mood",
    input: "text",
    instructions: "Which mood?",
    output: { kind: "choice", choices: ["good", { value: "bad", synonyms: ["awful"] }] },
    teacher: { model: "openai/gpt-4o-mini" },
    ...changes,
  });
