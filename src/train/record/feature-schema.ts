/**
 * @file What the columns of the records are, frozen with the model: the order of the features, their types, and the
 * categories in the order of their numbers. Inferred from the rows that train, and from nothing else; the task's own types
 * come first.
 */

import { z } from "zod";
import type { Columns, FeatureType, FieldValue } from "../../columns.ts";
import { FlywheelError } from "../../errors.ts";
import type { RecordInput, RowId } from "../../records.ts";

const Feature = z.discriminatedUnion("type", [
  z.strictObject({ name: z.string(), type: z.literal("number") }),
  z.strictObject({ name: z.string(), type: z.literal("boolean") }),
  /** A category's number is its place; one that is not listed is missing. */
  z.strictObject({ name: z.string(), type: z.literal("category"), categories: z.array(z.string()).min(1) }),
]);
export type Feature = z.output<typeof Feature>;

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
/** Fewer categories are never too many. */
const ALWAYS_FEW = 20;
/** The most frequent ones are kept. */
const MOST_CATEGORIES = 1000;

/**
 * Features in the order in which the task lists them, else in that of their names.
 * @throws FlywheelError `no_features` naming every column and why it is none
 */
export function inferFeatures(rows: readonly RecordRow[], { features: declared }: Columns): Inferred {
  const counts = countColumns(rows);
  const names = declared === "auto" ? [...counts.keys()].sort() : Object.keys(declared);
  const readings = names.map((name): Reading => {
    const count = counts.get(name);
    if (!count || count.present === 0) return { ...ignore(name, "all its values are missing"), isEmpty: true };
    return declared === "auto" ? read(name, count) : readAs(name, count, declared[name]!);
  });
  const features = readings.flatMap(({ feature }) => feature ?? []);
  const left = readings.flatMap(({ name, why, isEmpty }) => (why === undefined ? [] : [{ name, why, isEmpty }]));
  if (features.length === 0) throw noFeatures(left);
  // A column that was empty is not among them: should values come, somebody ought to hear that they are not read.
  const ignored = left.filter(({ isEmpty }) => !isEmpty).map(({ name, why }) => ({ name, why }));
  return { schema: { features, ignored }, warnings: readings.flatMap(({ warning }) => warning ?? []) };
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
  readonly values: Map<string, number>;
};

function countColumns(rows: readonly RecordRow[]): ReadonlyMap<string, Count> {
  const counts = new Map<string, Count>();
  for (const { id, fields } of rows) {
    for (const [name, value] of Object.entries(fields)) {
      const count = counts.get(name) ?? emptyCount();
      counts.set(name, count);
      addValue(count, value, id);
    }
  }
  return counts;
}

const emptyCount = (): Count => ({
  present: 0,
  numbers: 0,
  booleans: 0,
  words: 0,
  firstWord: undefined,
  values: new Map(),
});

function addValue(count: Count, value: FieldValue, rowId: RowId): void {
  if (value === null || Number.isNaN(value)) return;
  count.present += 1;
  if (typeof value === "number") count.numbers += 1;
  else if (typeof value === "boolean") count.booleans += 1;
  else {
    count.words += 1;
    count.firstWord ??= { rowId, word: value };
  }
  const text = categoryOf(value);
  count.values.set(text, (count.values.get(text) ?? 0) + 1);
}

/** How a value is spelt where its column holds categories. */
export const categoryOf = (value: string | number | boolean): string => String(value).trim();

function read(name: string, count: Count): Reading {
  const { present, numbers, booleans, values, words, firstWord } = count;
  if (booleans === present) return { name, feature: { name, type: "boolean" } };
  if (numbers === present) return { name, feature: { name, type: "number" } };
  if (firstWord && numbers >= FEWEST_NUMBERS * present) {
    const example = `row ${firstWord.rowId}: ${JSON.stringify(firstWord.word.slice(0, 40))}`;
    const warning = `column "${name}" holds numbers, but ${words} of ${present} values are words (${example}): they count as missing`;
    return { name, feature: { name, type: "number" }, warning };
  }
  if (values.size > Math.max(ALWAYS_FEW, MOST_DISTINCT * present)) {
    return ignore(name, `it is nearly unique (${values.size} different words in ${present} rows)`);
  }
  return readCategories(name, count);
}

function readAs(name: string, count: Count, type: FeatureType): Reading {
  switch (type) {
    case "number":
    case "boolean":
      return { name, feature: { name, type } };
    case "category":
      return readCategories(name, count);
    case "text":
      return ignore(name, "it is text, which trees do not read");
    default:
      return type satisfies never;
  }
}

function readCategories(name: string, { values }: Count): Reading {
  const byFrequency = [...values].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const categories = byFrequency
    .slice(0, MOST_CATEGORIES)
    .map(([category]) => category)
    .sort();
  const feature: Feature = { name, type: "category", categories };
  if (values.size <= MOST_CATEGORIES) return { name, feature };
  const warning = `column "${name}" has ${values.size} categories: all but the ${MOST_CATEGORIES} most frequent count as missing`;
  return { name, feature, warning };
}
