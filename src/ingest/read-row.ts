/** @file From a record of a table to a row: what it says and which row that is. */

import { readFields, readText } from "../columns.ts";
import type { Clock } from "../contracts.ts";
import { type Input, type Row, type RowId, rowId } from "../records.ts";
import { type AnyTask, splitOf } from "../task.ts";
import { identityOfRecord, identityOfText } from "../text/identity.ts";
import type { ColumnPlan } from "./plan-columns.ts";

export type Content = { readonly id: RowId; readonly input: Exclude<Input, { readonly kind: "image" }> };

/** @throws FlywheelError as `readText` and `readFields` */
export function readContent(task: AnyTask, plan: ColumnPlan, fields: Readonly<Record<string, unknown>>): Content {
  return plan.text === undefined ? recordContent(task, fields) : textContent(fields[plan.text], plan.text);
}

export function textContent(given: unknown, where: string): Content {
  const text = readText(given, where);
  return { id: rowId(identityOfText(text)), input: { kind: "text", text } };
}

export function recordContent({ columns }: AnyTask, given: Readonly<Record<string, unknown>>): Content {
  const fields = readFields(columns, given);
  return { id: rowId(identityOfRecord(fields)), input: { kind: "record", fields } };
}

export function toRow(
  { id, input }: Content,
  source: string,
  { task, clock }: { readonly task: AnyTask; readonly clock: Clock },
): Row {
  const split = splitOf(id, task.splits);
  return { id, input, source, origin: "ingest", uniform: true, split, propensity: 1, createdAt: clock.now() };
}
