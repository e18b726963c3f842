/** @file What the columns turned out to hold: counted while the rows stream past, in memory for a few thousand values. */

import {
  createFormatEvidence,
  describeFormat,
  type FormatEvidence,
  type FormatVerdict,
} from "../cells/column-format.ts";
import { createSequence, type Sequence } from "../cells/sequence.ts";
import { type Columns, type FeatureType, isFrameIndex, isKept, readValue } from "../columns.ts";
import { FlywheelError } from "../errors.ts";
import type { AnyTask } from "../task.ts";
import type { ColumnSummary, ColumnsSeen } from "./outcome.ts";
import type { ColumnPlan } from "./plan-columns.ts";
import type { TableRecord } from "./tables/table.ts";

export type ColumnProfile = {
  /** What the columns of the next rows are. */
  follow(plan: ColumnPlan): void;
  see(record: Pick<TableRecord, "source" | "fields">): void;
  summary(): ColumnsSeen;
};

/** Different values that are counted in a column. */
const MAX_DISTINCT = 2_000;
/** Share of different values above which gold labels cannot be labels. */
const NEARLY_UNIQUE = 0.5;
/** Share of the rarer kind below which a mixed column is a slip rather than a choice. */
const SLIP = 0.05;
/** Share of different values above which numbers among words are no category. */
const NEARLY_DIFFERENT = 0.8;

type Column = {
  numbers: number;
  booleans: number;
  words: number;
  /** Values that no record can hold. */
  refused: number;
  readonly distinct: Set<string>;
  /** Of the first values; training looks at all of those that train. */
  readonly format: FormatEvidence;
  readonly sequence: Sequence;
  /** Whole numbers that a double cannot tell from their neighbours, and the first. */
  beyond: number;
  readonly firstBeyond?: string;
  /** The first cell like `1.180`. */
  readonly pointed?: string;
  /** What its first number and its first word are, and where. */
  number?: string;
  word?: string;
};

export function createColumnProfile(task: AnyTask): ColumnProfile {
  const columns = new Map<string, Column>();
  let plan: ColumnPlan = { gold: [] };
  let rows = 0;
  const declared: Partial<Record<string, FeatureType>> = task.columns.features === "auto" ? {} : task.columns.features;
  const { columns: given } = task;
  const roleOf = (name: string): ColumnSummary["role"] => {
    if (name === plan.text) return "text";
    if (plan.gold.some(({ column }) => column === name)) return "gold";
    if (name === plan.id) return "id";
    if (task.input !== "record" || given.ignore.includes(name)) return "unread";
    if (given.features === "auto" && isFrameIndex(name) && !isKept(given, name)) return "unread";
    return task.columns.features === "auto" || name in task.columns.features ? "feature" : "unread";
  };
  return {
    follow(next) {
      plan = next;
    },
    see({ source, fields }) {
      rows++;
      for (const name in fields) {
        const column = columns.get(name) ?? open();
        columns.set(name, column);
        count(column, fields[name], { name, source });
        if (task.input === "record") look(column, fields[name]);
      }
    },
    summary() {
      const about = (name: string): About => ({
        rows,
        role: roleOf(name),
        declared: declared[name],
        columns: given,
      });
      return {
        columns: [...columns].map(([name, column]) => summarise(name, column, about(name))),
        notes: [...columns].flatMap(([name, column]) => notesOf(name, column, about(name))),
      };
    },
  };
}

const open = (): Column => ({
  numbers: 0,
  booleans: 0,
  words: 0,
  refused: 0,
  distinct: new Set(),
  format: createFormatEvidence(),
  sequence: createSequence(),
  beyond: 0,
});

/** Values whose way of writing is looked at. */
const MOST_FORMATTED = 5_000;

/** Stored as a number with decimals, where nothing is said of them. */
const THREE_DECIMALS = /^[+-]?[1-9]\d{0,2}\.\d{3}$/;

function look(column: Column & { firstBeyond?: string; pointed?: string }, given: unknown): void {
  const { numbers, words, format, sequence } = column;
  const isText = typeof given === "string" && given.trim() !== "";
  if (numbers + words <= MOST_FORMATTED && (isText || typeof given === "number")) format.add(given);
  const value = isText || typeof given === "bigint" ? Number(given) : typeof given === "number" ? given : Number.NaN;
  if (Number.isNaN(value)) return;
  if (isText && THREE_DECIMALS.test(given.trim())) column.pointed ??= given.trim();
  sequence.add(value);
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return;
  column.beyond++;
  column.firstBeyond ??= String(given);
}

function count(column: Column, given: unknown, { name, source }: { readonly name: string; readonly source: string }) {
  const value = scalarOf(given, name);
  if (value === undefined) column.refused++;
  else if (typeof value === "number") {
    column.numbers++;
    column.number ??= `${value} at ${source}`;
  } else if (typeof value === "boolean") column.booleans++;
  else if (value !== null) {
    column.words++;
    column.word ??= `${JSON.stringify(value.slice(0, 80))} at ${source}`;
  }
  if (value !== undefined && value !== null && column.distinct.size < MAX_DISTINCT)
    column.distinct.add(String(value).slice(0, 200));
}

/** Undefined for a value that no record can hold, which is counted as missing: its row is refused by name. */
function scalarOf(given: unknown, name: string) {
  try {
    return typeof given === "string" && given.length > 200 ? given : readValue(given, name);
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return undefined;
    throw thrown;
  }
}

type About = {
  readonly rows: number;
  readonly role: ColumnSummary["role"];
  /** What the task says that the column is: that counts, whatever its values look like. */
  readonly declared: FeatureType | undefined;
  readonly columns: Columns;
};

/** A column that a record leaves out is missing there. */
function summarise(name: string, column: Column, about: About): ColumnSummary {
  const { rows, role } = about;
  const verdict = role === "feature" ? formatOf(column, about) : undefined;
  const leftOut = leftOutAs(name, column, about);
  const type = verdict?.format.kind ?? typeIn(column, about);
  const { numbers, booleans, words, distinct } = column;
  const missing = rows - numbers - booleans - words;
  const isDistinctExact = distinct.size < MAX_DISTINCT;
  return {
    name,
    role,
    ...(type && { type }),
    ...(verdict && { format: describeFormat(verdict.format) }),
    ...(leftOut && { leftOut }),
    missing,
    distinct: distinct.size,
    isDistinctExact,
  };
}

/** Where every value is a plain number there is nothing to recognise. */
function formatOf(column: Column, { declared, columns }: About): FormatVerdict | undefined {
  if (column.words === 0 || (declared && declared !== "date" && declared !== "duration")) return undefined;
  return column.format.verdict(columns);
}

/** As training will find it; what the task lists it takes at its word. */
function leftOutAs(name: string, column: Column, { role, declared, columns }: About): string | undefined {
  if (role === "unread" && isFrameIndex(name) && !columns.ignore.includes(name)) return "a row number";
  if (role !== "feature" || declared || isKept(columns, name) || column.words > 0) return undefined;
  const { isEven, isSorted, isNumbering } = column.sequence.verdict();
  if (isEven) return "its numbers fill their range without a gap: a row number or an id";
  return isSorted && isNumbering
    ? "sorted as the file is, and nearly always different: a row number or an id"
    : undefined;
}

function typeIn(column: Column, { role, declared }: About): ColumnSummary["type"] {
  return role === "text" ? "text" : ((role === "feature" ? declared : undefined) ?? typeOf(column));
}

function typeOf({ numbers, booleans, words }: Column): ColumnSummary["type"] | undefined {
  const kinds = [numbers, booleans, words].filter((n) => n > 0).length;
  if (kinds > 1) return "mixed";
  if (numbers > 0) return "number";
  if (booleans > 0) return "boolean";
  return words > 0 ? "category" : undefined;
}

function notesOf(name: string, column: Column, about: About): readonly string[] {
  const { rows, role, declared } = about;
  const leftOut = leftOutAs(name, column, about);
  if (leftOut)
    return [`column "${name}" is left out (${leftOut}); to learn from it all the same: columns.keep: ["${name}"]`];
  const { numbers, words, booleans, refused, distinct, number, word } = column;
  const present = numbers + words + booleans;
  if (role === "unread" || role === "id") return [];
  if (present === 0 && refused > 0) return [];
  if (present === 0 && rows > 0) return [`column "${name}" is empty in every row`];
  if (role === "gold") return goldNotes(name, { different: distinct.size, present });
  if (role === "feature" && column.beyond > 0) return [beyondNote(name, column)];
  const written = role === "feature" ? writingNotes(name, column, about) : undefined;
  if (written) return written;
  if (role === "feature" && !declared && numbers > 0 && words > 0 && Math.min(numbers, words) < SLIP * present) {
    const many = numbers > words;
    const rare = many ? `a word in ${words} of them (${word})` : `a number in ${numbers} of them (${number})`;
    return [
      `column "${name}" is ${many ? "a number" : "a word"} in most rows and ${rare}: mend those, or give its type in columns.features`,
    ];
  }
  return role === "feature" && !declared && numbers > 0 && words > 0 ? mixedNotes(name, column) : [];
}

/** Numbers among words of which hardly two are alike are no category: a student learns nothing from it as it stands. */
function mixedNotes(name: string, { numbers, words, distinct, number, word }: Column): readonly string[] {
  const present = numbers + words;
  if (present < 20 || distinct.size < NEARLY_DIFFERENT * Math.min(present, MAX_DISTINCT)) return [];
  return [
    `column "${name}" holds numbers (${number}) and words (${word}), ${distinct.size} different ones in ${present} rows, and is read as a category, which teaches hardly anything: leave cells empty where a value is missing, or give its type in columns.features`,
  ];
}

const beyondNote = (name: string, { beyond, firstBeyond }: Column): string =>
  `column "${name}" holds ${beyond} whole numbers beyond 2^53 (${firstBeyond}), which a double cannot tell apart: digits may be lost already; store ids as text, or list the column in columns.ignore`;

/** Among decimal commas, what a number with a point was written like. */
function pointedIn({ pointed }: Column, { columns }: About, verdict: FormatVerdict | undefined): string | undefined {
  const isComma = verdict?.format.kind === "number" && verdict.format.mark === ",";
  return isComma && columns.decimal === undefined ? pointed : undefined;
}

/** Undefined where the column is written as JSON is. */
function writingNotes(name: string, column: Column, about: About): readonly string[] | undefined {
  const verdict = formatOf(column, about);
  if (verdict?.ambiguous !== undefined) {
    const key =
      verdict.format.kind === "date"
        ? 'columns.dateOrder: "month-first" or "day-first"'
        : 'columns.decimal: "," or "."';
    return [
      `column "${name}" is read as ${describeFormat(verdict.format)}, but nothing in it says how ${JSON.stringify(verdict.ambiguous)} is meant: set ${key}`,
    ];
  }
  const pointed = verdict?.pointed ?? pointedIn(column, about, verdict);
  if (verdict && pointed !== undefined) {
    return [
      `column "${name}" is read as ${describeFormat(verdict.format)}, but ${pointed} came with a point and is read with decimals: where the point separates thousands, set columns.decimal: ","`,
    ];
  }
  if (verdict) return verdict.unread === 0 ? [] : unreadNote(name, column, verdict);
  const conflict = column.words > 0 ? column.format.conflict() : undefined;
  if (conflict) return [`column "${name}" is read as words: ${conflict}`];
  return threeDecimalsNote(name, column, about);
}

/** Undefined where the rest are plain numbers: then it is told where the words are. */
function unreadNote(name: string, { words, numbers }: Column, verdict: FormatVerdict): readonly string[] | undefined {
  if (verdict.unread >= words && numbers > 0) return undefined;
  return [
    `column "${name}" is read as ${describeFormat(verdict.format)}; ${verdict.unread} of its values cannot be and count as missing`,
  ];
}

/** All numbers, but spelt `3.540`, `12.403`: thousands in much of Europe. */
function threeDecimalsNote(name: string, column: Column, { columns, declared }: About): readonly string[] | undefined {
  if (declared || columns.decimal || column.words > 0) return undefined;
  const ambiguous = column.format.verdict()?.ambiguous;
  if (ambiguous === undefined || column.numbers < 20) return undefined;
  return [
    `column "${name}" holds ${JSON.stringify(ambiguous)} and the like, read with decimals: where the point separates thousands, set columns.decimal: ","`,
  ];
}

function goldNotes(name: string, { different, present }: { readonly different: number; readonly present: number }) {
  if (different === 1) return [`gold column "${name}" says the same in every row: it can measure nothing`];
  if (present < 20 || different < NEARLY_UNIQUE * Math.min(present, MAX_DISTINCT)) return [];
  return [`gold column "${name}" has ${different} different values in ${present} rows: is it an identifier?`];
}
