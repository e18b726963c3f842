/**
 * @file What the columns of the records are, frozen with the model: the order of the features, their types, and the
 * categories in the order of their numbers. Inferred from the rows that train, and from nothing else; the task's own types
 * come first.
 */

import { z } from "zod";
import {
  type ColumnFormat,
  createFormatEvidence,
  describeFormat,
  type FormatVerdict,
} from "../../cells/column-format.ts";
import { DateOrder } from "../../cells/date.ts";
import { DecimalMark } from "../../cells/number.ts";
import type { Columns, FeatureType, FieldValue } from "../../columns.ts";
import { FlywheelError } from "../../errors.ts";
import type { RecordInput, RowId } from "../../records.ts";
import { frequentGrams, meanWords } from "./count-grams.ts";
import { DatePart } from "./date-parts.ts";
import { rememberKeys } from "./remember-keys.ts";

/** How its cells are written where they are not plain numbers. */
const NumberFormat = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("number"), mark: z.enum(DecimalMark), unit: z.string().optional() }),
  z.strictObject({ kind: z.literal("duration") }),
]);

const Feature = z.discriminatedUnion("type", [
  z.strictObject({
    name: z.string(),
    type: z.literal("number"),
    format: NumberFormat.optional(),
    /** Of one that is sorted as its file is: beyond what training had it says nothing that was learned. */
    range: z.tuple([z.number(), z.number()]).optional(),
  }),
  z.strictObject({
    name: z.string(),
    type: z.literal("date"),
    order: z.enum(DateOrder),
    parts: z.array(z.enum(DatePart)).min(1),
  }),
  /** Days from one date to another of the same record. */
  z.strictObject({ name: z.string(), type: z.literal("elapsed"), from: z.string(), to: z.string() }),
  z.strictObject({ name: z.string(), type: z.literal("boolean") }),
  /** A category's number is its place; one that is not listed is missing. */
  z.strictObject({ name: z.string(), type: z.literal("category"), categories: z.array(z.string()).min(1) }),
  /** As many numbers as there are n-grams: how often the text has each; missing where it has not. */
  z.strictObject({ name: z.string(), type: z.literal("text"), grams: z.array(z.string()).min(1) }),
]);
export type Feature = z.output<typeof Feature>;

/** Numbers that a feature becomes. */
export const widthOf = (feature: Feature): number => partsOf(feature)?.length ?? 1;

/** A name for each number of a feature. */
export const namesOf = (feature: Feature): readonly string[] =>
  partsOf(feature)?.map((part) => `${feature.name}: ${part}`) ?? [feature.name];

const partsOf = (feature: Feature): readonly string[] | undefined =>
  feature.type === "text" ? feature.grams : feature.type === "date" ? feature.parts : undefined;

/** `features.json` of the model folder. */
export const FeatureSchema = z.strictObject({
  features: z.array(Feature).min(1),
  /** Columns that are no features, and why. */
  ignored: z.array(z.strictObject({ name: z.string(), why: z.string() })),
});
export type FeatureSchema = z.output<typeof FeatureSchema>;

export type Inferred = {
  readonly schema: FeatureSchema;
  /** What a person should know of the columns. */
  readonly warnings: readonly string[];
};

export type RecordRow = { readonly id: RowId; readonly fields: RecordInput["fields"] };

/** A column of numbers may hold a few words, as exports of spreadsheets do; with more of them it holds categories. */
const FEWEST_NUMBERS = 0.9;
/** A column of words of which most occur once says nothing of a row that is new. */
const MOST_DISTINCT = 0.5;
/** Unless it is text: names and addresses have fewer words. */
const FEWEST_WORDS = 5;
/** Texts that tell whether a column is of text. */
const SAMPLED_TEXTS = 1000;
/** Fewer categories are never too many. */
const ALWAYS_FEW = 20;
/** The most frequent ones are kept. */
const MOST_CATEGORIES = 1000;

/**
 * Features in the order in which the task lists them, else in that of their names.
 * @throws FlywheelError `no_features` naming every column and why it is none
 */
export function inferFeatures(rows: readonly RecordRow[], columns: FeatureColumns): Inferred {
  const { features: declared } = columns;
  const counts = countColumns(rows);
  const names = declared === "auto" ? [...counts.keys()].sort() : Object.keys(declared);
  const readings = names.map((name): Reading => {
    const count = counts.get(name);
    if (!count || count.present === 0) return { ...ignore(name, "all its values are missing"), isEmpty: true };
    const column = { name, rows, count, hints: columns };
    return declared === "auto" ? read(column) : readAs(column, declared[name]!);
  });
  const own = readings.flatMap(({ feature }) => feature ?? []);
  const features = [...own, ...elapsedBetween(own)];
  const left = readings.flatMap(({ name, why, isEmpty }) => (why === undefined ? [] : [{ name, why, isEmpty }]));
  if (features.length === 0) throw noFeatures(left);
  // A column that was empty is not among them: should values come, somebody ought to hear that they are not read.
  const ignored = left.filter(({ isEmpty }) => !isEmpty).map(({ name, why }) => ({ name, why }));
  return { schema: { features, ignored }, warnings: readings.flatMap(({ warning }) => warning ?? []) };
}

/** What of a task's columns decides on features. */
export type FeatureColumns = Pick<Columns, "features"> & Partial<Pick<Columns, "decimal" | "dateOrder" | "keep">>;

/** Pairs grow with the square. */
const MOST_DATES = 6;

function elapsedBetween(features: readonly Feature[]): readonly Feature[] {
  const dates = features.filter(({ type }) => type === "date").slice(0, MOST_DATES);
  return dates.flatMap(({ name: from }, index) =>
    dates
      .slice(index + 1)
      .map(({ name: to }) => ({ name: `${to} − ${from} (days)`, type: "elapsed" as const, from, to })),
  );
}

type Reading = {
  readonly name: string;
  readonly feature?: Feature;
  readonly why?: string;
  readonly isEmpty?: boolean;
  readonly warning?: string;
};

const ignore = (name: string, why: string): Reading => ({ name, why, warning: `column "${name}" is ignored: ${why}` });

function noFeatures(ignored: FeatureSchema["ignored"]): FlywheelError {
  const why = ignored.map((each) => `"${each.name}": ${each.why}`).join("; ");
  return new FlywheelError("no_features", `no column can be learned from: ${why || "the records are empty"}`, {
    hint: "add a column of numbers or of few different words, or list the columns and their types in columns.features",
  });
}

type Count = {
  present: number;
  numbers: number;
  booleans: number;
  words: number;
  firstWord: { readonly rowId: RowId; readonly word: string } | undefined;
};

function countColumns(rows: readonly RecordRow[]): ReadonlyMap<string, Count> {
  const counts = new Map<string, Count>();
  const countOf = (name: string): Count => {
    const count = counts.get(name) ?? { present: 0, numbers: 0, booleans: 0, words: 0, firstWord: undefined };
    counts.set(name, count);
    return count;
  };
  const countAt = rememberKeys(countOf);
  for (const { id, fields } of rows) {
    let place = 0;
    for (const name in fields) {
      const value = fields[name] ?? null;
      const count = countAt(place++, name);
      if (typeof value === "number" && !Number.isNaN(value)) {
        count.present += 1;
        count.numbers += 1;
      } else addWord(count, value, id);
    }
  }
  return counts;
}

function addWord(count: Count, value: FieldValue, rowId: RowId): void {
  if (value === null || typeof value === "number") return; // NaN is missing
  count.present += 1;
  if (typeof value === "boolean") count.booleans += 1;
  else {
    count.words += 1;
    count.firstWord ??= { rowId, word: value };
  }
}

/** How a value is spelt where its column holds categories. */
export const categoryOf = (value: string | number | boolean): string => String(value).trim();

type Column = {
  readonly name: string;
  readonly rows: readonly RecordRow[];
  readonly count: Count;
  readonly hints: FeatureColumns;
};

function read(column: Column): Reading {
  const { name, count } = column;
  const { present, numbers, booleans, words } = count;
  if (booleans === present) return { name, feature: { name, type: "boolean" } };
  if (numbers === present) return { name, feature: { name, type: "number" } };
  const { verdict, conflict } = formatOf(column);
  // Where only plain numbers can be read, nobody wrote them in a way of their own.
  if (verdict && booleans === 0 && verdict.unread < words) return readFormat(column, verdict);
  if (conflict) return withWarning(readWords(column), `column "${name}" is read as words: ${conflict}`);
  return readWords(column);
}

/** Nobody spelt these values: where they are alike, a person wrote them so. */
function formatOf({ name, rows, hints }: Column) {
  const evidence = createFormatEvidence();
  for (const { fields } of rows) {
    const value = fields[name];
    if (typeof value === "string" || (typeof value === "number" && !Number.isNaN(value))) evidence.add(value);
  }
  return { verdict: evidence.verdict(hints), conflict: evidence.conflict() };
}

const withWarning = (reading: Reading, warning: string): Reading => ({ warning, ...reading });

function readFormat({ name, count }: Column, { format, unread, ambiguous, pointed }: FormatVerdict): Reading {
  const [some] = [
    pointed === undefined
      ? []
      : `${pointed} came with a point and is read with decimals: where the point separates thousands, set columns.decimal: ","`,
    unread > 0 ? `${unread} of ${count.present} values cannot be read so and count as missing` : [],
    ambiguous === undefined ? [] : ambiguity(ambiguous, format),
  ].flat();
  const warning = some && `column "${name}" holds ${describeFormat(format)}: ${some}`;
  return { name, feature: featureOf(name, format), ...(warning && { warning }) };
}

const ambiguity = (example: string, { kind }: ColumnFormat): string =>
  `no value says whether ${JSON.stringify(example)} ${kind === "date" ? "begins with the day or the month: set columns.dateOrder" : "has thousands or decimals: set columns.decimal"}`;

function featureOf(name: string, format: ColumnFormat): Feature {
  if (format.kind !== "date") return { name, type: "number", format };
  const parts = DatePart.filter((part) => part !== "hour" || format.hasTime);
  return { name, type: "date", order: format.order, parts };
}

function readWords(column: Column): Reading {
  const { name, count } = column;
  const { present, numbers, words, firstWord } = count;
  if (firstWord && numbers >= FEWEST_NUMBERS * present) {
    const example = `row ${firstWord.rowId}: ${JSON.stringify(firstWord.word.slice(0, 40))}`;
    const warning = `column "${name}" holds numbers, but ${words} of ${present} values are words (${example}): they count as missing`;
    return { name, feature: { name, type: "number" }, warning };
  }
  const categories = countCategories(column);
  if (categories.size > Math.max(ALWAYS_FEW, MOST_DISTINCT * present)) {
    if (meanWords([...categories.keys()].slice(0, SAMPLED_TEXTS)) >= FEWEST_WORDS) return readText(column);
    return ignore(name, `it is nearly unique (${categories.size} different words in ${present} rows)`);
  }
  return withCategories(name, categories);
}

function readAs(column: Column, type: FeatureType): Reading {
  const { name } = column;
  switch (type) {
    case "boolean":
      return { name, feature: { name, type } };
    case "number":
    case "date":
    case "duration":
      return readDeclared(column, type);
    case "category":
      return withCategories(name, countCategories(column));
    case "text":
      return readText(column);
    default:
      return type satisfies never;
  }
}

/** What the task says counts; how it is written the column says. */
function readDeclared(column: Column, type: "number" | "date" | "duration"): Reading {
  const { name } = column;
  const { verdict } = formatOf(column);
  if (verdict?.format.kind === type) return readFormat(column, verdict);
  if (type === "number") return { name, feature: { name, type } };
  const format: ColumnFormat =
    type === "date" ? { kind: type, order: column.hints.dateOrder ?? "day-first", hasTime: true } : { kind: type };
  return { name, feature: featureOf(name, format) };
}

function readText({ name, rows }: Column): Reading {
  const texts = rows.values().flatMap(({ fields }) => (fields[name] === null ? [] : [String(fields[name] ?? "")]));
  const grams = frequentGrams([...texts]);
  return grams.length > 0
    ? { name, feature: { name, type: "text", grams: [...grams] } }
    : ignore(name, "no word occurs twice");
}

function countCategories({ name, rows }: Column): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { fields } of rows) {
    const value = fields[name];
    if (value === null || value === undefined || Number.isNaN(value)) continue;
    const category = categoryOf(value);
    counts.set(category, (counts.get(category) ?? 0) + 1);
  }
  return counts;
}

function withCategories(name: string, counts: ReadonlyMap<string, number>): Reading {
  const byFrequency = [...counts].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const categories = byFrequency
    .slice(0, MOST_CATEGORIES)
    .map(([category]) => category)
    .sort();
  const feature: Feature = { name, type: "category", categories };
  if (counts.size <= MOST_CATEGORIES) return { name, feature };
  const warning = `column "${name}" has ${counts.size} categories: all but the ${MOST_CATEGORIES} most frequent count as missing`;
  return { name, feature, warning };
}
