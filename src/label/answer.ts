/**
 * @file From what a teacher wrote to a label. Strict about meaning, lenient about form: small local models wrap their
 * JSON in code fences or answer with the bare label, and such an answer is paid for and clear.
 */

import { z } from "zod";
import type { LabelValue } from "../records.ts";
import { normaliseLabel, type Task } from "../task.ts";

const Answer = z.object({ label: z.union([z.string(), z.boolean()]) });

/** JSON schema of the answer, for constrained decoding. Labels in the order in which the prompt offers them. */
export function answerSchema(labels: readonly LabelValue[]) {
  return {
    type: "object" as const,
    properties: { label: { type: "string" as const, enum: [...labels] } },
    required: ["label"],
    additionalProperties: false,
  };
}

/** The label that `text` gives, or undefined where it gives none of the task's. */
export function readAnswer(task: Task, text: string): LabelValue | undefined {
  const bare = withoutFence(text);
  const parsed = Answer.safeParse(parseJson(bare));
  return normaliseLabel(task, parsed.success ? String(parsed.data.label) : bare);
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
