/**
 * @file The review queue as a spreadsheet, and back. A person fills in the column `label`; everything else may stay, be
 * sorted, or be deleted but for the column `row` and, where a task has several, the column `field`.
 */

import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import type { Clock } from "../contracts.ts";
import { messageOf } from "../errors.ts";
import { fieldsOf, hasFields } from "../fields.ts";
import { type Row, type RowId, rowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { describeRecord } from "../text/describe-record.ts";
import {
  conflictsOf,
  type ImportProblem,
  type Reading,
  type ReviewImport,
  readLabel,
  unknownField,
  unknownLabel,
  unknownRow,
  unreadable,
} from "./import-problem.ts";
import { latestOfEach } from "./label-studio-choice.ts";
import { isFlatExport, readFlatRecord } from "./label-studio-flat.ts";
import type { ReviewItem } from "./review-item.ts";
import { recordByField } from "./rulings.ts";
import { writeWhole } from "./write-whole.ts";

const columns = [
  "row",
  "field",
  "file",
  "source",
  "priority",
  "reasons",
  "suggested",
  "label",
  "reviewer",
  "note",
] as const;
type Column = (typeof columns)[number];
/** `field` is undefined where a file has no such column. */
type Line = Readonly<Record<Exclude<Column, "field">, string>> & { readonly field: string | undefined };

/**
 * Writes the queue to `path`. Column `file` is the picture's path, or the text or record itself; `source`, of texts
 * and records, where it came from and what users call it (`columns.id`). No suggestion stands
 * beside audits. Starts with a byte-order mark, without which spreadsheets misread UTF-8; cells that a spreadsheet would
 * run as formulas are quoted with an apostrophe.
 */
export async function exportReviewCsv(options: {
  readonly store: Store;
  readonly items: readonly ReviewItem[];
  readonly path: string;
}): Promise<void> {
  const { store, items, path } = options;
  const lines = items.map((item) => lineOf(store, item));
  const hasFields = items.some(({ field }) => field !== undefined);
  const hasSources = items.some(({ row }) => row.input.kind !== "image");
  const left = new Set<Column>([...(hasFields ? [] : ["field" as const]), ...(hasSources ? [] : ["source" as const])]);
  const shownColumns = columns.filter((column) => !left.has(column));
  const content = stringify(lines, { header: true, columns: shownColumns, bom: true, escape_formulas: true });
  await writeWhole(path, content);
}

function lineOf(store: Store, item: ReviewItem): Line {
  return {
    row: item.row.id,
    field: item.field ?? "",
    file: shown(store, item.row),
    source: item.row.source,
    priority: item.priority.toFixed(4),
    reasons: item.reasons.join(" "),
    suggested: item.kind === "suspect" ? (item.suggestion ?? "") : "",
    label: "",
    reviewer: "",
    note: "",
  };
}

function shown(store: Store, { input, origin, source }: Row): string {
  switch (input.kind) {
    case "image":
      return origin === "ingest" ? source : store.blobs.path(input.blob);
    case "text":
      return input.text;
    case "record":
      return describeRecord(input.fields);
    default:
      return input satisfies never;
  }
}

/**
 * Takes the rulings of a filled-in file: `label` by any spelling of the task, `reviewer` where given, else `person`.
 * Commas, semicolons and tabs separate; a byte-order mark and blank lines are ignored. Importing again changes nothing.
 * @throws FlywheelError `review_file_unreadable` where it is no such table; single lines are reported, not thrown
 */
export async function importReviewCsv(options: {
  readonly store: Store;
  readonly task: AnyTask;
  readonly path: string;
  /** Who ruled where the column `reviewer` is blank. */
  readonly person: string;
  readonly clock: Clock;
}): Promise<ReviewImport> {
  const { store, task, path } = options;
  const records = parseRows(await readText(path), path);
  if (isFlatExport(namesOf(records))) return await importFlat(records, options);
  const lines = parseLines(records, path);
  if (hasFields(task) && lines.some(({ cells }) => cells.field === undefined)) {
    throw unreadable(path, `needs the column field: "${task.name}" has ${Object.keys(task.fields).join(", ")}`);
  }
  const filled = lines.filter(({ cells }) => cells.label.trim() !== "");
  const outcomes = await Promise.all(filled.map((line) => readLine(line, options)));
  const readings = outcomes.filter((outcome) => "rowId" in outcome);
  const conflicts = conflictsOf(readings);
  const rulings = readings.filter((reading) => !conflicts.has(reading)).map(({ where, ...ruling }) => ruling);
  const problems = outcomes.flatMap((outcome) => ("rowId" in outcome ? (conflicts.get(outcome) ?? []) : outcome));
  return { ...(await recordByField(store, rulings, options.clock)), blank: lines.length - filled.length, problems };
}

/** Label Studio's own CSV: who annotated and when stands in it. */
async function importFlat(
  [head, ...rows]: readonly NumberedCells[],
  options: { readonly store: Store; readonly task: AnyTask; readonly person: string; readonly clock: Clock },
): Promise<ReviewImport> {
  const outcomes = await Promise.all(
    rows.map(({ line, cells }) => {
      const record = Object.fromEntries(head!.cells.map((name, index) => [name, cells[index] ?? ""]));
      return readFlatRecord(`line ${line}`, record, options);
    }),
  );
  const rulings = latestOfEach(outcomes.flatMap((outcome) => outcome.rulings));
  return {
    ...(await recordByField(options.store, rulings, options.clock)),
    blank: outcomes.filter((outcome) => outcome.rulings.length + outcome.problems.length === 0).length,
    problems: outcomes.flatMap(({ problems }) => problems),
  };
}

type CsvReading = Reading & { readonly note?: string };

async function readLine(
  { where, cells }: NumberedLine,
  { store, task, person }: { readonly store: Store; readonly task: AnyTask; readonly person: string },
): Promise<CsvReading | ImportProblem> {
  const id = await findRow(store, cells);
  if (!id) return unknownRow(where, cells.row || cells.file);
  const field = hasFields(task) ? (cells.field ?? "").trim().toLowerCase() : "";
  const own = fieldsOf(task).find(({ name }) => name === field)?.task;
  if (!own) return unknownField(where, field, task);
  const value = readLabel(own, cells.label.trim());
  if (value === undefined) return unknownLabel(where, cells.label, own);
  const note = cells.note.trim();
  return { where, field, rowId: id, person: cells.reviewer.trim() || person, value, ...(note && { note }) };
}

/** By id, or by the file where somebody has deleted the column of ids. */
async function findRow(store: Store, { row, file }: Line): Promise<RowId | undefined> {
  if (row.trim() !== "") return (await store.rows.get(rowId(row.trim().toLowerCase())))?.id;
  return file.trim() === "" ? undefined : store.rows.bySource(file.trim());
}

/** UTF-8, or what spreadsheets call "Unicode text". */
async function readText(path: string): Promise<string> {
  const bytes = await readFile(path);
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(path, "is not UTF-8 (in the spreadsheet, save as “CSV UTF-8”)", cause);
  }
}

type NumberedLine = { readonly where: string; readonly cells: Line };

const namesOf = ([head]: readonly NumberedCells[]): readonly string[] =>
  (head?.cells ?? []).map((name) => name.trim().toLowerCase());

function parseLines(records: readonly NumberedCells[], path: string): readonly NumberedLine[] {
  const [head, ...rows] = records;
  if (!head) throw unreadable(path, "is empty");
  const names = namesOf(records);
  if (!names.includes("label") || !(names.includes("row") || names.includes("file"))) {
    throw unreadable(path, `needs the columns row and label, has ${names.join(", ")}`);
  }
  return rows
    .filter(({ cells }) => cells.some((cell) => cell.trim() !== ""))
    .map(({ line, cells }) => ({ where: `line ${line}`, cells: lineFrom(names, cells) }));
}

function lineFrom(names: readonly string[], cells: readonly string[]): Line {
  const cell = (column: Column) => cells[names.indexOf(column)] ?? "";
  return {
    row: cell("row"),
    field: names.includes("field") ? cell("field") : undefined,
    file: cell("file"),
    source: cell("source"),
    priority: cell("priority"),
    reasons: cell("reasons"),
    suggested: cell("suggested"),
    label: cell("label"),
    reviewer: cell("reviewer"),
    note: cell("note"),
  };
}

type NumberedCells = { readonly line: number; readonly cells: readonly string[] };

/** `line` is where the record begins: a quoted note may run over several lines. */
function parseRows(text: string, path: string): readonly NumberedCells[] {
  const rows: NumberedCells[] = [];
  const onRecord = (cells: string[], { lines }: { readonly lines: number }) => {
    rows.push({ line: lines - lineBreaksIn(cells), cells });
    return null;
  };
  try {
    parse(text, {
      delimiter: delimiterOf(text),
      on_record: onRecord,
      relax_column_count: true,
      skip_empty_lines: true,
    });
  } catch (cause) {
    throw unreadable(path, messageOf(cause), cause);
  }
  return rows;
}

const lineBreaksIn = (cells: readonly string[]): number =>
  cells.reduce((sum, cell) => sum + (cell.match(/\r\n|\r|\n/g)?.length ?? 0), 0);

/** The one of comma, semicolon and tab that the head line has most of; its names contain none of them. */
function delimiterOf(text: string): string {
  const head = text.slice(0, text.search(/[\r\n]|$/));
  const count = (delimiter: string) => head.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, other) => (count(other) > count(best) ? other : best));
}
