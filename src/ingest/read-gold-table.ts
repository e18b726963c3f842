/** @file Gold labels of texts and records, from a table: a line means the row that says the same. Nothing here but measures. */

import { normalize } from "node:path";
import { type GoldColumn, goldColumns } from "../columns.ts";
import { FlywheelError } from "../errors.ts";
import { fieldsOf, hasFields } from "../fields.ts";
import type { RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { type AnyTask, normaliseLabel } from "../task.ts";
import type { GoldBook, GoldEntry } from "./gold-book.ts";
import { inField, labelsIn } from "./gold-labels.ts";
import { inGroups } from "./in-order.ts";
import { createProblems } from "./line-problems.ts";
import { planColumns, TEXT_COLUMNS } from "./plan-columns.ts";
import type { GoldProblems } from "./read-gold.ts";
import { readContent } from "./read-row.ts";
import { columnMissing, FILE_COLUMNS } from "./read-table.ts";
import { asUtf8 } from "./tables/encoding.ts";
import { formatOf, openTable } from "./tables/open-table.ts";
import type { Table, TableForm, TableRecord } from "./tables/table.ts";

const LABEL_COLUMNS = ["label", "gold", "class"];
/** Lines looked up at once. */
const GROUP = 500;

/** Its delimiter and header are its own: they are read from its first line. */
export type GoldForm = Pick<TableForm, "encoding" | "quote" | "escape">;

export type GoldTableOptions = {
  readonly store: Store;
  readonly book: GoldBook;
  readonly task: AnyTask;
  readonly goldPath: string;
  /** As the user gave it for the data. */
  readonly form?: GoldForm | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** @throws FlywheelError `gold_missing`, `table_malformed` */
export async function checkGoldTable(goldPath: string, form?: GoldForm): Promise<void> {
  await using _gold = await openGold(goldPath, form);
}

/** Whether its lines name text files (`file,label`) and hold no text themselves. */
export async function namesFiles(goldPath: string, { columns: { text } }: AnyTask, form?: GoldForm): Promise<boolean> {
  await using gold = await openGold(goldPath, form);
  const { table } = gold;
  const columns = (table.columns ?? (await firstColumns(table))).map((name) => name.toLowerCase());
  const holds = (names: readonly string[]) => names.some((name) => columns.includes(name));
  return holds(FILE_COLUMNS) && !holds(text === undefined ? TEXT_COLUMNS : [text.toLowerCase()]);
}

async function firstColumns(table: Table): Promise<readonly string[]> {
  for await (const item of table.items()) if (item.kind === "record") return Object.keys(item.fields);
  return [];
}

/** Writes the gold labels of rows that are in the store. */
export async function readGoldTable(options: GoldTableOptions): Promise<GoldProblems> {
  const { store, book, task, goldPath, form, signal } = options;
  await using opened = await openGold(goldPath, form);
  const { table } = opened;
  const [unmatched, unknownLabels] = [createProblems(), createProblems()];
  for await (const lines of inGroups(goldLines(task, table), GROUP)) {
    signal?.throwIfAborted();
    const known = new Set((await store.rows.getMany(lines.flatMap(({ id }) => id ?? []))).map(({ id }) => id));
    for (const { name, task: own } of fieldsOf(task)) {
      const gold: GoldEntry[] = [];
      for (const { id, labels, source } of lines) {
        const label = labels[name];
        if (label === undefined) continue;
        const value = normaliseLabel(own, label);
        if (value === undefined) unknownLabels.add(source, inField(name, label));
        else if (id === undefined || !known.has(id)) unmatched.add(source, "");
        else gold.push({ rowId: id, field: name, value, source });
      }
      await book.put(gold);
    }
  }
  return { unmatched: unmatched.summary(), unknownLabels: unknownLabels.summary() };
}

export type GoldLine = {
  /** Absent where the line is no row. */
  readonly id: RowId | undefined;
  /** By field; of a task of one output, of the field without a name, and empty where the cell is. */
  readonly labels: Readonly<Record<string, string>>;
  readonly source: string;
};

export async function* goldLines(task: AnyTask, table: Table): AsyncGenerator<GoldLine> {
  let read: ((record: TableRecord) => GoldLine) | undefined;
  for await (const item of table.items()) {
    if (item.kind === "refused")
      yield { id: undefined, labels: hasFields(task) ? {} : { "": "" }, source: item.source };
    else {
      read ??= lineReader(task, table, item);
      yield read(item);
    }
  }
}

function lineReader(task: AnyTask, table: Table, first: TableRecord): (record: TableRecord) => GoldLine {
  const columns = table.columns ?? Object.keys(first.fields);
  const gold = goldIn(task, table.source, columns);
  const { id, ...others } = task.columns;
  const named = hasFields(task)
    ? Object.fromEntries(gold.map(({ field, column }) => [field, column]))
    : gold.map(({ column }) => column).join();
  const own = { ...task, columns: { ...others, gold: named, ...(id !== undefined && columns.includes(id) && { id }) } };
  const plan = planColumns(own, { source: table.source, columns, records: [] });
  return ({ source, fields }) => ({ id: idOf(own, plan, fields), labels: labelsIn(gold, fields), source });
}

/** @throws FlywheelError `table_column_missing` where no column holds gold of any field */
function goldIn(task: AnyTask, source: string, columns: readonly string[]): readonly GoldColumn[] {
  const named = new Map(goldColumns(task.columns).map(({ field, column }) => [field, column]));
  const gold = fieldsOf(task).flatMap(({ name: field }) => {
    const names = [named.get(field), ...(field === "" ? LABEL_COLUMNS : [field])];
    const column = names.find((name) => name !== undefined && columns.includes(name));
    return column === undefined ? [] : [{ field, column }];
  });
  if (gold.length > 0) return gold;
  if (!hasFields(task)) throw columnMissing(source, columns, LABEL_COLUMNS, "name the column label");
  throw columnMissing(source, columns, Object.keys(task.fields), "name a column for each field that has gold");
}

function idOf(task: AnyTask, plan: ReturnType<typeof planColumns>, fields: TableRecord["fields"]): RowId | undefined {
  try {
    return readContent(task, plan, fields).id;
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return undefined;
    throw thrown;
  }
}

/** @throws FlywheelError `gold_missing`, `table_malformed` */
export async function openGold(
  goldPath: string,
  form: GoldForm = {},
): Promise<AsyncDisposable & { readonly table: Table }> {
  const { encoding, quote, escape: escaper } = form;
  const format = formatOf(goldPath) ?? "csv";
  await using cleanup = new AsyncDisposableStack();
  try {
    const given = { path: goldPath, source: normalize(goldPath), format, encoding, quote, escape: escaper };
    const { file } = cleanup.use(await asUtf8(given));
    const table = await openTable(file);
    const kept = cleanup.move();
    return { table, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) throw thrown;
    throw new FlywheelError("gold_missing", `the gold file ${goldPath} cannot be read`, {
      hint: "give a CSV or JSONL with the columns of the data and label",
      cause: thrown,
    });
  }
}
