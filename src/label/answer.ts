/**
 * @file From what a teacher wrote to a label. Strict about meaning, lenient about form: small local models wrap their
 * JSON in code fences or answer with the bare label, and such an answer is paid for and clear.
 */

import { z } from "zod";
import { fieldsOf } from "../fields.ts";
import type { LabelValue } from "../records.ts";
import { type FieldsTask, normaliseLabel, type Task } from "../task.ts";
import type { Asked } from "./prompts.ts";

const Answer = z.object({ label: z.union([z.string(), z.boolean()]) });

/** JSON schema of the answer, for constrained decoding. Labels in the order in which the prompt offers them. */
export function answerSchema(asked: readonly Asked[]) {
  const properties = asked.map(({ property, labels }) => [property, { type: "string" as const, enum: [...labels] }]);
  return {
    type: "object" as const,
    properties: Object.fromEntries(properties),
    required: asked.map(({ property }) => property),
    additionalProperties: false,
  };
}

/** The label that `text` gives, or undefined where it gives none of the task's. */
export function readAnswer(task: Task, text: string): LabelValue | undefined {
  const bare = withoutFence(text);
  const parsed = Answer.safeParse(parseJson(bare));
  return normaliseLabel(task, parsed.success ? String(parsed.data.label) : bare);
}

const Answers = z.record(z.string(), z.unknown());

/** The labels that `text` gives, by field; those that it leaves out or answers with no label are absent. */
export function readFieldAnswers(task: FieldsTask, text: string): Readonly<Record<string, LabelValue>> {
  const parsed = Answers.safeParse(parseJson(withoutFence(text)));
  if (!parsed.success) return {};
  const given = fieldsOf(task).map(({ name, task: own }) => [name, labelIn(own, parsed.data[name])] as const);
  return Object.fromEntries(given.flatMap(([name, label]) => (label === undefined ? [] : [[name, label]])));
}

function labelIn(task: Task, value: unknown): LabelValue | undefined {
  return typeof value === "string" || typeof value === "boolean" ? normaliseLabel(task, String(value)) : undefined;
}

function withoutFence(text: string): string {
  return /^\s*```(?:json)?\s*([\s\S]*?)```\s*$/.exec(text)?.[1]?.trim() ?? text.trim();
}

/** Undefined where it is no JSON: the caller then reads it as a bare label, else reports the answer off schema. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
