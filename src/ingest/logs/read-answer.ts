/**
 * @file Which label a logged answer gives. Every application wraps its answers in its own way, so the label is looked for
 * where an answer can only mean it: the words as a whole, or the one value of a JSON object that is a label.
 */

import type { LabelValue } from "../../records.ts";
import { normaliseLabel, type Task } from "../../task.ts";
import { isObject } from "./fields.ts";

/** Undefined where it gives none, or more than one. */
export function readLoggedAnswer(task: Task, text: string): LabelValue | undefined {
  const bare = withoutFence(text);
  const json = parseJson(bare);
  if (!isObject(json))
    return normaliseLabel(task, typeof json === "string" || typeof json === "boolean" ? String(json) : bare);
  const labels = Object.values(json).flatMap((value) => labelOf(task, value) ?? []);
  return new Set(labels).size === 1 ? labels[0] : undefined;
}

function labelOf(task: Task, value: unknown): LabelValue | undefined {
  if (typeof value !== "string" && typeof value !== "boolean") return undefined;
  return normaliseLabel(task, String(value));
}

function withoutFence(text: string): string {
  return /^\s*```(?:json)?\s*([\s\S]*?)```\s*$/.exec(text)?.[1]?.trim() ?? text.trim();
}

function parseJson(text: string): unknown {
  if (!/^[{"]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
