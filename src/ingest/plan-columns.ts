/**
 * @file Which column of a table is what, from the task and the names; and two mistakes that are caught before the first row
 * is written, because rows cannot be unwritten: an answer among the features, and an identifier among them.
 */

import { createFormatEvidence } from "../cells/column-format.ts";
import { type GoldColumn, goldColumns, isFeature, isKept } from "../columns.ts";
import { FlywheelError } from "../errors.ts";
import { fieldsOf } from "../fields.ts";
import { type AnyTask, normaliseLabel, type Task } from "../task.ts";
import { columnMissing } from "./read-table.ts";
import type { TableRecord } from "./tables/table.ts";

export type ColumnPlan = {
  /** Of a text task. */
  readonly text?: string;
  readonly gold: readonly GoldColumn[];
  readonly id?: string;
};

export type Sample = {
  readonly source: string;
  readonly columns: readonly string[];
  /** As in `Table`. */
  readonly nested?: Readonly<Record<string, string>> | undefined;
  /** The first records. */
  readonly records: readonly TableRecord[];
};

export const TEXT_COLUMNS = ["text", "input", "sentence", "content", "message"];

/** @throws FlywheelError `table_column_missing`, `column_looks_like_answer`, `column_looks_like_id`, `column_not_scalar` */
export function planColumns(task: AnyTask, sample: Sample): ColumnPlan {
  const { id } = task.columns;
  const gold = goldColumns(task.columns);
  for (const { field, column } of gold) requireColumn(sample, column, field === "" ? "gold" : `gold.${field}`);
  if (id !== undefined) requireColumn(sample, id, "id");
  const named = { gold, ...(id !== undefined && { id }) };
  const plan = task.input === "text" ? { ...named, text: textColumn(task, sample) } : named;
  refuseNested(task, plan, sample);
  if (task.input === "record") checkFeatures(task, sample);
  return plan;
}

/** What is not read may hold anything. */
function refuseNested({ input, columns }: AnyTask, { text }: ColumnPlan, { nested = {} }: Sample): void {
  const isRead = (name: string): boolean => {
    if (input === "text") return name === text;
    return columns.features === "auto" ? isFeature(columns, name) : name in columns.features;
  };
  const found = Object.entries(nested).find(([name]) => isRead(name));
  if (!found) return;
  const [name, what] = found;
  throw new FlywheelError(
    "column_not_scalar",
    `column "${name}" holds ${what}: a ${input === "text" ? "text" : "feature"} is one value`,
    {
      hint: "spread them over columns of their own (images: write files and list them), or put the column into columns.ignore",
    },
  );
}

/** Gold may lie in another file than the one that is read now: then only the text or the features must be there. */
function requireColumn({ source, columns }: Sample, name: string, role: string): void {
  if (!columns.includes(name))
    throw columnMissing(source, columns, [name], `columns.${role} in the task's config names it`);
}

function textColumn({ columns: { text } }: AnyTask, { source, columns }: Sample): string {
  if (text !== undefined) {
    if (columns.includes(text)) return text;
    throw columnMissing(source, columns, [text], "columns.text in the task's config names it");
  }
  const found = TEXT_COLUMNS.flatMap((name) => columns.find((column) => column.toLowerCase() === name) ?? [])[0];
  const only = columns.length === 1 ? columns[0] : undefined;
  if (found ?? only) return (found ?? only)!;
  throw columnMissing(
    source,
    columns,
    TEXT_COLUMNS,
    "name the column of the text as columns.text in the task's config",
  );
}

function checkFeatures(task: AnyTask, sample: Sample): void {
  const { columns } = task;
  const { features } = columns;
  if (features !== "auto") {
    const absent = Object.keys(features).find((name) => !sample.columns.includes(name));
    if (absent !== undefined) {
      throw columnMissing(sample.source, sample.columns, [absent], "columns.features in the task's config names it");
    }
    return;
  }
  for (const name of sample.columns.filter((column) => isFeature(columns, column))) {
    const values = sample.records
      .map(({ fields }) => fields[name])
      .filter(isPresent)
      .map(String);
    if (mayHoldAnswer(task, name, values)) throw answerAmong(name);
    if (!isKept(columns, name) && looksLikeId(name, values)) throw idAmong(name);
  }
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null && value !== "";

const ANSWER_NAME = /^(?:labels?|gold|class|target|answer|outcome|y)$/i;
/** Values that must be seen before they say anything. */
const ENOUGH = 50;

/** Where the task names its gold it is taken to know which columns are answers; of several fields, each for itself. */
function mayHoldAnswer(task: AnyTask, name: string, values: readonly string[]): boolean {
  const isKnown = new Set(goldColumns(task.columns).map(({ field }) => field));
  const open = fieldsOf(task).filter((field) => !isKnown.has(field.name));
  return open.some((field) => looksLikeAnswer(field.task, { name, of: field.name || task.name }, values));
}

function looksLikeAnswer(
  task: Task,
  { name, of }: { readonly name: string; readonly of: string },
  values: readonly string[],
): boolean {
  if (ANSWER_NAME.test(name) || name.toLowerCase() === of) return true;
  const different = [...new Set(values)];
  return (
    task.output.kind !== "predicate" &&
    values.length >= ENOUGH &&
    different.length > 1 &&
    different.every((value) => normaliseLabel(task, value) !== undefined)
  );
}

/** Camel case is told by its case: "paid" is no id. */
const isIdName = (name: string): boolean => /(?:^|[_ .-])(?:id|uuid|guid)$/i.test(name) || /[a-z](?:Id|ID)$/.test(name);

/** All different, and named like an identifier or one word of letters and digits each. Numbers may well all differ. */
function looksLikeId(name: string, values: readonly string[]): boolean {
  if (values.length < ENOUGH || new Set(values).size < values.length) return false;
  if (isIdName(name)) return true;
  return values.every((value) => /^\S+$/.test(value) && Number.isNaN(Number(value))) && !isWritten(values);
}

/** Money, percentages, dates and times may well all differ. */
function isWritten(values: readonly string[]): boolean {
  const evidence = createFormatEvidence();
  for (const value of values) evidence.add(value);
  return evidence.verdict() !== undefined;
}

const answerAmong = (name: string): FlywheelError =>
  new FlywheelError(
    "column_looks_like_answer",
    `column "${name}" looks like the answer; as a feature it would give it away`,
    {
      hint: `in the task's config, set columns.gold: "${name}" (it then only measures), put it into columns.ignore, or list the features one by one`,
    },
  );

const idAmong = (name: string): FlywheelError =>
  new FlywheelError("column_looks_like_id", `column "${name}" is different in every row: it looks like an ID column`, {
    hint: `in the task's config, set columns.id: "${name}", put it into columns.ignore, or into columns.keep where it is a feature`,
  });
