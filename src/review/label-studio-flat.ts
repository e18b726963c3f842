/**
 * @file Label Studio's flat exports, CSV and JSON-MIN: an object for each annotation, with the task's data, the annotator,
 * the times, and a property for each control. Drafts are not in them, nor skipped tasks.
 */

import { fieldsOf } from "../fields.ts";
import { rowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { type ImportProblem, unknownRow } from "./import-problem.ts";
import {
  annotatorName,
  choiceRuling,
  type FieldRuling,
  millisecondsOf,
  type TaskOutcome,
} from "./label-studio-choice.ts";
import { controlName } from "./label-studio-config.ts";

export type FlatRecord = Readonly<Record<string, unknown>>;

/** Whether column or property names are those of a flat export, and not of our own review file. */
export const isFlatExport = (names: readonly string[]): boolean =>
  names.includes("annotator") && (names.includes("annotation_id") || names.includes("updated_at"));

export async function readFlatRecord(
  where: string,
  record: FlatRecord,
  { store, task, person }: { readonly store: Store; readonly task: AnyTask; readonly person: string },
): Promise<TaskOutcome> {
  const given = textOf(record["row"]).toLowerCase();
  const row = await store.rows.get(rowId(given));
  if (!row) return { rulings: [], problems: [unknownRow(where, given)] };
  const at = millisecondsOf(record["updated_at"], record["created_at"]);
  const by = { person: annotatorName(record["annotator"]) ?? person, ...(at !== undefined && { at }) };
  const outcomes = fieldsOf(task).flatMap((field) => {
    const chosen = choicesIn(record[field.name || controlName]);
    return choiceRuling({ where, rowId: row.id, field, chosen, ...by }) ?? [];
  });
  return {
    rulings: outcomes.filter((one): one is FieldRuling => "value" in one),
    problems: outcomes.filter((one): one is ImportProblem => "code" in one),
  };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value.trim() : "");

/** One choice is the bare word; several are `{"choices": […]}`, in a CSV as text. */
function choicesIn(value: unknown): readonly string[] {
  if (typeof value === "string") return value.trim() === "" ? [] : (severalIn(value) ?? [value.trim()]);
  return choiceList(value) ?? [];
}

function severalIn(text: string): readonly string[] | undefined {
  try {
    return choiceList(JSON.parse(text));
  } catch {
    return undefined; // a bare word
  }
}

function choiceList(value: unknown): readonly string[] | undefined {
  const choices = typeof value === "object" && value !== null && "choices" in value ? value.choices : undefined;
  return Array.isArray(choices) ? choices.filter((choice) => typeof choice === "string") : undefined;
}
