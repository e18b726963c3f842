/** @file What could not be taken from a reviewer's file, and where it stands there. The rest is taken. */

import { FlywheelError } from "../errors.ts";
import { fieldNames } from "../fields.ts";
import type { LabelValue, RowId } from "../records.ts";
import { type AnyTask, classesOf, normaliseLabel, type Task } from "../task.ts";
import type { RecordedRulings } from "./rulings.ts";

export type ImportProblem = {
  /** `line 12`, `task 3`. */
  readonly where: string;
  readonly code:
    | "unknown_row"
    | "unknown_field"
    | "unknown_label"
    | "conflicting_rulings"
    | "several_labels"
    | "malformed";
  readonly message: string;
};

export type ReviewImport = RecordedRulings & {
  /** Lines or tasks on which nobody has ruled yet. */
  readonly blank: number;
  readonly problems: readonly ImportProblem[];
};

export function unknownLabel(where: string, given: string, task: Task): ImportProblem {
  const message = `"${given}" is not a label of this task (${classesOf(task).join(", ")})`;
  return { where, code: "unknown_label", message };
}

export function unknownField(where: string, given: string, task: AnyTask): ImportProblem {
  return {
    where,
    code: "unknown_field",
    message: `"${given}" is no field of this task (${fieldNames(task).join(", ")})`,
  };
}

export function unknownRow(where: string, given: string): ImportProblem {
  return { where, code: "unknown_row", message: `no row "${given}" in this workspace` };
}

/** The label meant by a cell; an apostrophe that a spreadsheet (or our own export) put before a formula sign is dropped. */
export function readLabel(task: Task, given: string): LabelValue | undefined {
  return normaliseLabel(task, given) ?? normaliseLabel(task, given.replace(/^'(?=[=+\-@\t\r])/, ""));
}

/** One reading of a file: a ruling on a row, with where it stands. */
export type Reading = {
  readonly where: string;
  /** Empty where the task has one output. */
  readonly field: string;
  readonly rowId: RowId;
  readonly person: string;
  readonly value: LabelValue;
};

/** Where one person says two things about one row (and field), neither is taken: which was meant is not ours to guess. */
export function conflictsOf(readings: readonly Reading[]): ReadonlyMap<Reading, ImportProblem> {
  const conflicts = new Map<Reading, ImportProblem>();
  for (const group of Map.groupBy(readings, ({ rowId, field, person }) => `${rowId} ${field} ${person}`).values()) {
    const values = [...new Set(group.map(({ value }) => value))];
    if (values.length < 2) continue;
    const places = group.map(({ where }) => where).join(", ");
    const message = `${places} rule differently on one row: ${values.join(", ")}`;
    for (const reading of group) {
      conflicts.set(reading, { where: reading.where, code: "conflicting_rulings", message });
    }
  }
  return conflicts;
}

export function unreadable(path: string, what: string, cause?: unknown): FlywheelError {
  return new FlywheelError("review_file_unreadable", `${path}: ${what}`, {
    hint: "import a file that `flywheel review export` wrote, with the labels filled in",
    ...(cause === undefined ? {} : { cause }),
  });
}
