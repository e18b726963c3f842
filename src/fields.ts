/**
 * @file A task of several fields, taken apart: to every stage a field is an ordinary task of one output over a store of its
 * own. A task of one output is the case of one field without a name, so whoever composes stages need not ask which it is.
 */

import type { Store } from "./store/contract.ts";
import { type AnyTask, type FieldsTask, promptVersion, type Task } from "./task.ts";

export type FieldView = {
  /** Empty where the task has one output. */
  readonly name: string;
  readonly task: Task;
};

export const hasFields = (task: AnyTask): task is FieldsTask => "fields" in task;

/** In the order in which they are asked. */
export function fieldsOf(task: AnyTask): readonly FieldView[] {
  if (!hasFields(task)) return [{ name: "", task }];
  const version = promptVersion(task);
  return Object.keys(task.fields).map((name) => ({ name, task: fieldTask(task, name, version) }));
}

export function fieldNames(task: AnyTask): readonly string[] {
  return hasFields(task) ? Object.keys(task.fields) : [""];
}

/** `mail/topic` in messages; its own question and target, everything else as the task has it. */
function fieldTask({ fields, answer: _, ...shared }: FieldsTask, field: string, version: string): Task {
  const { instructions, output, target = shared.target } = fields[field]!;
  const name = `${shared.name}/${field}`;
  return Object.freeze({ ...shared, name, instructions, output, target, part: { field, promptVersion: version } });
}

/** What the stages run on. */
export type FieldScope = FieldView & { readonly store: Store };

export function scopesOf(store: Store, task: AnyTask): readonly FieldScope[] {
  return fieldsOf(task).map((field) => ({ ...field, store: store.field(field.name) }));
}

/**
 * One amount shared out among `count`, whole units each, adding up to it exactly. What one call costs stands in equal parts
 * with the fields that it answers, so that what the fields say adds up to what was paid.
 * @returns the part of number `index`
 */
export function partOf(amount: number, index: number, count: number): number {
  return Math.round((amount * (index + 1)) / count) - Math.round((amount * index) / count);
}
