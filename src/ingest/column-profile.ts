/** @file What the columns turned out to hold: counted while the rows stream past, in memory for a few thousand values. */

import { type FeatureType, readValue } from "../columns.ts";
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

type Column = {
  numbers: number;
  booleans: number;
  words: number;
  /** Values that no record can hold. */
  refused: number;
  readonly distinct: Set<string>;
  /** What its first number and its first word are, and where. */
  number?: string;
  word?: string;
};

export function createColumnProfile(task: AnyTask): ColumnProfile {
  const columns = new Map<string, Column>();
  let plan: ColumnPlan = { gold: [] };
  let rows = 0;
  const declared: Partial<Record<string, FeatureType>> = task.columns.features === "auto" ? {} : task.columns.features;
  const roleOf = (name: string): ColumnSummary["role"] => {
    if (name === plan.text) return "text";
    if (plan.gold.some(({ column }) => column === name)) return "gold";
    if (name === plan.id) return "id";
    if (task.input !== "record" || task.columns.ignore.includes(name)) return "unread";
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
      }
    },
    summary() {
      const about = (name: string): About => ({ rows, role: roleOf(name), declared: declared[name] });
      return {
        columns: [...columns].map(([name, column]) => summarise(name, column, about(name))),
        notes: [...columns].flatMap(([name, column]) => notesOf(name, column, about(name))),
      };
    },
  };
}

const open = (): Column => ({ numbers: 0, booleans: 0, words: 0, refused: 0, distinct: new Set() });

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
};

/** A column that a record leaves out is missing there. */
function summarise(name: string, column: Column, { rows, role, declared }: About): ColumnSummary {
  const type = role === "text" ? "text" : ((role === "feature" ? declared : undefined) ?? typeOf(column));
  const { numbers, booleans, words, distinct } = column;
  const missing = rows - numbers - booleans - words;
  const isDistinctExact = distinct.size < MAX_DISTINCT;
  return { name, role, ...(type && { type }), missing, distinct: distinct.size, isDistinctExact };
}

function typeOf({ numbers, booleans, words }: Column): ColumnSummary["type"] | undefined {
  const kinds = [numbers, booleans, words].filter((n) => n > 0).length;
  if (kinds > 1) return "mixed";
  if (numbers > 0) return "number";
  if (booleans > 0) return "boolean";
  return words > 0 ? "category" : undefined;
}

function notesOf(name: string, column: Column, { rows, role, declared }: About) {
  const { numbers, words, booleans, refused, distinct, number, word } = column;
  const present = numbers + words + booleans;
  if (role === "unread" || role === "id") return [];
  if (present === 0 && refused > 0) return [];
  if (present === 0 && rows > 0) return [`column "${name}" is empty in every row`];
  if (role === "gold") return goldNotes(name, { different: distinct.size, present });
  if (role === "feature" && !declared && numbers > 0 && words > 0 && Math.min(numbers, words) < SLIP * present) {
    const many = numbers > words;
    const rare = many ? `a word in ${words} of them (${word})` : `a number in ${numbers} of them (${number})`;
    return [
      `column "${name}" is ${many ? "a number" : "a word"} in most rows and ${rare}: mend those, or give its type in columns.features`,
    ];
  }
  return [];
}

function goldNotes(name: string, { different, present }: { readonly different: number; readonly present: number }) {
  if (different === 1) return [`gold column "${name}" says the same in every row: it can measure nothing`];
  if (present < 20 || different < NEARLY_UNIQUE * Math.min(present, MAX_DISTINCT)) return [];
  return [`gold column "${name}" has ${different} different values in ${present} rows: is it an identifier?`];
}
