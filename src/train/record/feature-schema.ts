/**
 * @file What the columns of the records are, frozen with the model: the order of the features, their types, and the
 * categories in the order of their numbers. Inferred from the rows that train, and from nothing else; the task's own types
 * come first.
 */

import { z } from "zod";
import type { Columns, FeatureType, FieldValue } from "../../columns.ts";
import { FlywheelError } from "../../errors.ts";
import type { RecordInput, RowId } from "../../records.ts";
import { frequentGrams, meanWords } from "./count-grams.ts";
import { rememberKeys } from "./remember-keys.ts";

const Feature = z.discriminatedUnion("type", [
  z.strictObject({ name: z.string(), type: z.literal("number") }),
  z.strictObject({ name: z.string(), type: z.literal("boolean") }),
  /** A category's number is its place; one that is not listed is missing. */
  z.strictObject({ name: z.string(), type: z.literal("category"), categories: z.array(z.string()).min(1) }),
  /** As many numbers as there are n-grams: how often the text has each; missing where it has not. */
  z.strictObject({ name: z.string(), type: z.literal("text"), grams: z.array(z.string()).min(1) }),
]);
export type Feature = z.output<typeof Feature>;

/** Numbers that a feature becomes. */
export const widthOf = (feature: Feature): number => (feature.type === "text" ? feature.grams.length : 1);

/** A name for each number of a feature. */
export const namesOf = (feature: Feature): readonly string[] =>
  feature.type === "text" ? feature.grams.map((gram) => `${feature.name}: ${gram}`) : [feature.name];

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
export function inferFeatures(rows: readonly RecordRow[], { features: declared }: Pick<Columns, "features">): Inferred {
  const counts = countColumns(rows);
  const names = declared === "auto" ? [...counts.keys()].sort() : Object.keys(declared);
  const readings = names.map((name): Reading => {
    const count = counts.get(name);
    if (!count || count.present === 0) return { ...ignore(name, "all its values are missing"), isEmpty: true };
    const column = { name, rows, count };
    return declared === "auto" ? read(column) : readAs(column, declared[name]!);
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

type Column = { readonly name: string; readonly rows: readonly RecordRow[]; readonly count: Count };

function read(column: Column): Reading {
  const { name, count } = column;
  const { present, numbers, booleans, words, firstWord } = count;
  if (booleans === present) return { name, feature: { name, type: "boolean" } };
  if (numbers === present) return { name, feature: { name, type: "number" } };
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
    case "number":
    case "boolean":
      return { name, feature: { name, type } };
    case "category":
      return withCategories(name, countCategories(column));
    case "text":
      return readText(column);
    default:
      return type satisfies never;
  }
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
