/** @file Gold labels of texts and records, from a table: a line means the row that says the same. Nothing here but measures. */

import { normalize } from "node:path";
import { FlywheelError } from "../errors.ts";
import type { LabelValue, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { normaliseLabel, type Task } from "../task.ts";
import { lineOf } from "./gold-cell.ts";
import { inGroups } from "./in-order.ts";
import { createProblems } from "./line-problems.ts";
import { planColumns } from "./plan-columns.ts";
import type { GoldSummary } from "./read-gold.ts";
import { readContent } from "./read-row.ts";
import { columnMissing } from "./read-table.ts";
import { formatOf, openTable } from "./tables/open-table.ts";
import type { Table, TableRecord } from "./tables/table.ts";

const LABEL_COLUMNS = ["label", "gold", "class"];
/** Lines looked up at once. */
const GROUP = 500;

export type GoldTableOptions = {
  readonly store: Store;
  readonly task: Task;
  readonly goldPath: string;
  readonly signal?: AbortSignal | undefined;
};

/** @throws FlywheelError `gold_missing`, `table_malformed` */
export async function checkGoldTable(goldPath: string): Promise<void> {
  await openGold(goldPath);
}

/** Writes the gold labels of rows that are in the store. */
export async function readGoldTable({ store, task, goldPath, signal }: GoldTableOptions): Promise<GoldSummary> {
  const table = await openGold(goldPath);
  const [unmatched, unknownLabels] = [createProblems(), createProblems()];
  let matched = 0;
  for await (const lines of inGroups(goldLines(task, table), GROUP)) {
    signal?.throwIfAborted();
    const known = new Set((await store.rows.getMany(lines.flatMap(({ id }) => id ?? []))).map(({ id }) => id));
    const gold: { rowId: RowId; value: LabelValue }[] = [];
    for (const { id, label, source } of lines) {
      const value = normaliseLabel(task, label);
      if (value === undefined) unknownLabels.add(lineOf(source), label);
      else if (id === undefined || !known.has(id)) unmatched.add(lineOf(source), source);
      else gold.push({ rowId: id, value });
    }
    await store.gold.put(gold);
    matched += gold.length;
  }
  return { matched, unmatched: unmatched.summary(), unknownLabels: unknownLabels.summary() };
}

export type GoldLine = { readonly id: RowId | undefined; readonly label: string; readonly source: string };

/** Where a line is no row its `id` is absent, where it has no label `label` is empty. */
export async function* goldLines(task: Task, table: Table): AsyncGenerator<GoldLine> {
  let read: ((record: TableRecord) => GoldLine) | undefined;
  for await (const item of table.items()) {
    if (item.kind === "refused") yield { id: undefined, label: "", source: item.source };
    else {
      read ??= lineReader(task, table, item);
      yield read(item);
    }
  }
}

function lineReader(task: Task, table: Table, first: TableRecord): (record: TableRecord) => GoldLine {
  const columns = table.columns ?? Object.keys(first.fields);
  const gold = [task.columns.gold, ...LABEL_COLUMNS].find((name) => name !== undefined && columns.includes(name));
  if (gold === undefined) throw columnMissing(table.source, columns, LABEL_COLUMNS, "name the column label");
  const { id, ...others } = task.columns;
  const own = { ...task, columns: { ...others, gold, ...(id !== undefined && columns.includes(id) && { id }) } };
  const plan = planColumns(own, { source: table.source, columns, records: [] });
  return ({ source, fields }) => ({ id: idOf(own, plan, fields), label: String(fields[gold] ?? "").trim(), source });
}

function idOf(task: Task, plan: ReturnType<typeof planColumns>, fields: TableRecord["fields"]): RowId | undefined {
  try {
    return readContent(task, plan, fields).id;
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return undefined;
    throw thrown;
  }
}

/** @throws FlywheelError `gold_missing`, `table_malformed` */
export async function openGold(goldPath: string): Promise<Table> {
  try {
    return await openTable({ path: goldPath, source: normalize(goldPath), format: formatOf(goldPath) ?? "csv" });
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) throw thrown;
    throw new FlywheelError("gold_missing", `the gold file ${goldPath} cannot be read`, {
      hint: "give a CSV or JSONL with the columns of the data and label",
      cause: thrown,
    });
  }
}
