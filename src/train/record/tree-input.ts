/** @file What trees read of an input: the fields of a record; or a text, as a record of one field. */

import type { StudentInput } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import type { Input, RecordInput } from "../../records.ts";
import type { Task } from "../../task.ts";
import type { FeatureColumns } from "./feature-schema.ts";

export const TreeInputKind = ["record", "text"] as const;
export type TreeInputKind = (typeof TreeInputKind)[number];

const textField = "text";

/** @param what names the input in messages @throws FlywheelError `student_wrong_input` */
export function fieldsOf(input: Input | StudentInput, kind: TreeInputKind, what = "this input"): RecordInput["fields"] {
  if (input.kind === "record" && kind === "record") return input.fields;
  if (input.kind === "text" && kind === "text") return { [textField]: input.text };
  throw new FlywheelError("student_wrong_input", `${what} is of kind ${input.kind}, this student takes ${kind}s`, {
    hint: "check the task's input kind",
  });
}

/** @throws FlywheelError `student_wrong_input` */
export function treeInputKindOf({ input }: Pick<Task, "input">): TreeInputKind {
  const kind = TreeInputKind.find((known) => known === input);
  if (kind) return kind;
  throw new FlywheelError("student_wrong_input", `trees do not learn from ${input}s`, {
    hint: "give student.trainer one that does, or leave it out",
  });
}

/** The columns of a record task are its own; a text is one column. */
export const columnsFor = ({ input, columns }: Pick<Task, "input" | "columns">): FeatureColumns =>
  input === "text" ? { features: { [textField]: "text" } } : columns;
