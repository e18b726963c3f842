/** @file What the exports of Label Studio have in common: who chose what, when, and what that means for a row. */

import type { FieldView } from "../fields.ts";
import type { LabelValue, RowId } from "../records.ts";
import { classesOf, type Task } from "../task.ts";
import { type ImportProblem, readLabel, unknownLabel } from "./import-problem.ts";
import { withoutControls } from "./label-studio-config.ts";
import type { Ruling } from "./rulings.ts";

export type FieldRuling = Ruling & { readonly field: string };
export type TaskOutcome = { readonly rulings: readonly FieldRuling[]; readonly problems: readonly ImportProblem[] };

/** Nothing where the annotator has chosen nothing. */
export function choiceRuling(given: {
  readonly where: string;
  readonly rowId: RowId;
  readonly field: FieldView;
  readonly chosen: readonly string[];
  readonly person: string;
  readonly at?: number;
}): FieldRuling | ImportProblem | undefined {
  const { where, field, chosen, ...ruling } = given;
  if (chosen.length > 1)
    return { where, code: "several_labels", message: `chooses ${chosen.join(", ")}; one is asked for` };
  if (chosen[0] === undefined) return undefined;
  const value = labelNamed(field.task, chosen[0]);
  return value === undefined ? unknownLabel(where, chosen[0], field.task) : { field: field.name, value, ...ruling };
}

function labelNamed(task: Task, choice: string): LabelValue | undefined {
  return classesOf(task).find((label) => withoutControls(label) === choice) ?? readLabel(task, choice);
}

/** `label-studio:` with the e-mail or id; undefined where the export does not say. */
export function annotatorName(by: unknown): string | undefined {
  const name = typeof by === "object" && by !== null ? (propertyOf(by, "email") ?? propertyOf(by, "id")) : by;
  return name === undefined || name === null || name === "" ? undefined : `label-studio:${name}`;
}

const propertyOf = (object: object, key: string): unknown => Reflect.get(object, key) ?? undefined;

/** The first of `given` that is a time, in milliseconds. Old exports give seconds since the epoch. */
export function millisecondsOf(...given: readonly unknown[]): number | undefined {
  const said = given.find((one) => one !== undefined && one !== null && one !== "");
  const at = typeof said === "number" ? said * 1000 : Date.parse(String(said ?? ""));
  return Number.isFinite(at) ? Math.round(at) : undefined;
}

/** One row may be in several tasks. Of annotations without a time the last in the file counts. */
export function latestOfEach(rulings: readonly FieldRuling[]): readonly FieldRuling[] {
  const latest = new Map<string, FieldRuling>();
  for (const ruling of rulings) {
    const key = `${ruling.field} ${ruling.rowId} ${ruling.person}`;
    if ((ruling.at ?? Infinity) >= (latest.get(key)?.at ?? -Infinity)) latest.set(key, ruling);
  }
  return [...latest.values()];
}
