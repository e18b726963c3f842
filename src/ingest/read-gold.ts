/**
 * @file Gold labels from a CSV or JSONL: which row each line means, and what is wrong with the lines that mean none.
 * Nothing here but measures.
 */

import { basename, dirname, normalize, resolve, sep } from "node:path";
import { type GoldColumn, goldColumns } from "../columns.ts";
import { FlywheelError } from "../errors.ts";
import { fieldsOf, hasFields } from "../fields.ts";
import type { RowId } from "../records.ts";
import type { SeenFile, Store } from "../store/contract.ts";
import { type AnyTask, normaliseLabel } from "../task.ts";
import { fileForms } from "./file-forms.ts";
import type { GoldBook, GoldEntry } from "./gold-book.ts";
import { inField, labelsIn } from "./gold-labels.ts";
import { inGroups } from "./in-order.ts";
import { createProblems, type LineProblems } from "./line-problems.ts";
import { columnOf, FILE_COLUMNS, type ListForm, readTable, type TableRecord } from "./read-table.ts";

const LABEL_COLUMNS = ["label", "gold", "class"];
/** Lines looked up at once. */
const GROUP = 500;
export type GoldSummary = {
  /** Lines that gave a row its gold label. */
  readonly matched: number;
  /** Lines that mean no row, or several. `text` is the file; empty where lines are texts or records. */
  readonly unmatched: LineProblems;
  /** Lines whose label the task does not know. `text` is the label. */
  readonly unknownLabels: LineProblems;
  /** Lines that give a row another label than an earlier line: neither measures. `text` is both labels. */
  readonly conflicts: LineProblems;
};

/** What a gold file alone cannot say: the rest is known of the whole run. */
export type GoldProblems = Pick<GoldSummary, "unmatched" | "unknownLabels">;

export type GoldOptions = {
  readonly store: Store;
  readonly book: GoldBook;
  readonly task: AnyTask;
  readonly goldPath: string;
  /** The folder that was ingested, or that of the list. */
  readonly root: string;
  /** As the user gave it for the data. */
  readonly form?: ListForm | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** `labels` by field; of a task of one output, of the field without a name. */
type GoldLine = { readonly source: string; readonly file: string; readonly labels: Readonly<Record<string, string>> };

/**
 * Refuses a gold file that cannot be read, before the long work of ingesting begins.
 * @throws FlywheelError `gold_missing`, `table_malformed`, `table_column_missing`
 */
export async function checkGold(goldPath: string, task: AnyTask, form?: ListForm): Promise<void> {
  for await (const _ of goldLines(goldPath, task, form)) return;
}

/** Writes the gold labels of rows that are in the store. */
export async function readGold({
  store,
  book,
  task,
  goldPath,
  root,
  form,
  signal,
}: GoldOptions): Promise<GoldProblems> {
  const [unmatched, unknownLabels] = [createProblems(), createProblems()];
  for await (const lines of inGroups(goldLines(goldPath, task, form), GROUP)) {
    signal?.throwIfAborted();
    const rowOf = await createLookup(store, lines, { goldFolder: dirname(resolve(goldPath)), root });
    for (const { name, task: own } of fieldsOf(task)) {
      const gold: GoldEntry[] = [];
      for (const { source, file, labels } of lines) {
        const label = labels[name];
        if (label === undefined) continue;
        const value = normaliseLabel(own, label);
        const rowId = rowOf(file);
        if (value === undefined) unknownLabels.add(source, inField(name, label));
        else if (rowId === undefined) unmatched.add(source, file);
        else gold.push({ rowId, field: name, value, source });
      }
      await book.put(gold);
    }
  }
  return { unmatched: unmatched.summary(), unknownLabels: unknownLabels.summary() };
}

async function* goldLines(goldPath: string, task: AnyTask, form?: ListForm): AsyncGenerator<GoldLine> {
  let [fileColumn, gold]: [string?, (readonly GoldColumn[])?] = [];
  for await (const record of openGold(goldPath, form)) {
    fileColumn ??= columnOf(goldPath, record, FILE_COLUMNS);
    gold ??= goldIn(task, goldPath, record);
    const { fields, line } = record;
    const source = `${normalize(goldPath)}:${line}`;
    yield { source, file: String(fields[fileColumn] ?? ""), labels: labelsIn(gold, fields) };
  }
}

/** Column names of such a list have lost their case. */
function goldIn(task: AnyTask, goldPath: string, record: TableRecord): readonly GoldColumn[] {
  if (!hasFields(task)) return [{ field: "", column: columnOf(goldPath, record, LABEL_COLUMNS) }];
  const named = new Map(goldColumns(task.columns).map(({ field, column }) => [field, column.trim().toLowerCase()]));
  const fields = Object.keys(task.fields);
  const gold = fields.map((field) => ({ field, column: named.get(field) ?? field }));
  const there = gold.filter(({ column }) => column in record.fields);
  // None at all: the error names the first.
  return there.length > 0 ? there : [{ field: fields[0]!, column: columnOf(goldPath, record, fields) }];
}

async function* openGold(goldPath: string, form?: ListForm): AsyncGenerator<TableRecord> {
  try {
    yield* readTable(goldPath, form);
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) throw thrown;
    throw new FlywheelError("gold_missing", `the gold file ${goldPath} cannot be read`, {
      hint: "give a CSV or JSONL with the columns file and label",
      cause: thrown,
    });
  }
}

/**
 * Which row a line's file is: by its path, relative to the gold file or to what was ingested, else by its bare name where
 * only one row has it; as it is written, else by the first other form of its name that is known.
 */
async function createLookup(
  store: Store,
  lines: readonly GoldLine[],
  folders: { readonly goldFolder: string; readonly root: string },
): Promise<(file: string) => RowId | undefined> {
  const files = lines.map(({ file }) => file);
  const written = await lookUp(store, files, folders);
  const missing = files.filter((file) => written(file) === undefined);
  const otherwise = await lookUp(store, missing.flatMap(fileForms), folders);
  return (file) => written(file) ?? firstOf(fileForms(file), otherwise);
}

function firstOf<T>(forms: readonly string[], find: (form: string) => T | undefined): T | undefined {
  for (const form of forms) {
    const found = find(form);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function lookUp(
  store: Store,
  files: readonly string[],
  { goldFolder, root }: { readonly goldFolder: string; readonly root: string },
): Promise<(file: string) => RowId | undefined> {
  const pathsOf = (file: string): readonly string[] => [resolve(goldFolder, file), resolve(root, file)];
  const known = await store.files.getMany(files.flatMap(pathsOf));
  const byPath = new Map(known.map(({ path, rowId }) => [path, rowId]));
  const byPaths = (file: string) => pathsOf(file).flatMap((path) => byPath.get(path) ?? [])[0];
  const bare = files.filter((file) => byPaths(file) === undefined && basename(file) === file);
  const byName = Map.groupBy(await store.files.named(bare), ({ path }) => basename(path));
  return (file) => byPaths(file) ?? onlyRow(byName.get(file) ?? [], root);
}

/** The row that all the files are, those below `root` being asked first. */
function onlyRow(files: readonly SeenFile[], root: string): RowId | undefined {
  const below = files.filter(({ path }) => path.startsWith(root + sep));
  const rows = new Set((below.length > 0 ? below : files).map(({ rowId }) => rowId));
  return rows.size === 1 ? [...rows][0] : undefined;
}
