/**
 * @file The columns of a task: which of them is the text, which are features, and what a cell means. Ingest and serving
 * read a cell alike, so that a row of a file and the same row in a request are one row.
 *
 * A feature without a type is read by its own spelling and nothing else: neither the other cells of its column nor the
 * batch that it came in change what it means, or the same record would have another identity tomorrow.
 */

import { z } from "zod";
import { DateOrder, readDate } from "./cells/date.ts";
import { readDuration } from "./cells/duration.ts";
import { DecimalMark, readNumber as readWritten } from "./cells/number.ts";
import { FlywheelError } from "./errors.ts";
import type { RecordInput } from "./records.ts";

/**
 * `text`: long words, for students that read n-grams; a category is one of a few values; a date may have a time; a duration may be
 * a time of day.
 */
export const FeatureType = ["number", "category", "boolean", "text", "date", "duration"] as const;
export type FeatureType = (typeof FeatureType)[number];

export const Columns = z.strictObject({
  /** Text tasks: the column that holds the text; `text`, `input`, `sentence`, `content` or `message` where absent. */
  text: z.string().min(1).optional(),
  /** Record tasks: the columns that are features, with their types; `auto`: all but `gold`, `id` and `ignore`. */
  features: z
    .union([
      z.literal("auto"),
      z
        .record(z.string().min(1), z.enum(FeatureType))
        .refine((features) => Object.keys(features).length > 0, "must name a feature"),
    ])
    .default("auto"),
  /** Gold labels: they measure and are never a feature. Of a task of several fields, a column for each that has one. */
  gold: z.union([z.string().min(1), z.record(z.string(), z.string().min(1))]).optional(),
  /** What users call the row: shown beside its source, never a feature. */
  id: z.string().min(1).optional(),
  /** Columns that are left out. */
  ignore: z.array(z.string().min(1)).default([]),
  /** Columns that are features although they look like row numbers, ids or the order of the file. */
  keep: z.array(z.string().min(1)).optional(),
  /** What stands before the decimals in text: with a comma, `1.180` is 1180. Where absent each column of words decides for itself. */
  decimal: z.enum(DecimalMark).optional(),
  /** Of dates such as 03/04/2025, where the column itself does not say. */
  dateOrder: z.enum(DateOrder).optional(),
});
export type Columns = z.output<typeof Columns>;

export type FieldValue = RecordInput["fields"][string];

/** Longest value of a field, characters; a text of a text task may be longer. */
export const MAX_FIELD_CHARACTERS = 100_000;
/** About 250,000 tokens: more than any teacher reads with care. */
export const MAX_TEXT_CHARACTERS = 1_000_000;

/**
 * The text of a text task, as it came.
 * @param where the column or the field of a request, for the message
 * @throws FlywheelError `text_empty`, `text_binary`, `text_too_long`, `value_not_scalar`
 */
export function readText(given: unknown, where: string): string {
  const value = toScalar(given, where);
  const text = value === null ? "" : String(value).toWellFormed();
  if (text.trim() === "") throw new FlywheelError("text_empty", `"${where}" is empty`, { hint: "leave such rows out" });
  if (text.includes("\0")) throw binary(where);
  if (text.length <= MAX_TEXT_CHARACTERS) return text;
  throw new FlywheelError(
    "text_too_long",
    `"${where}" holds ${text.length} characters, more than ${MAX_TEXT_CHARACTERS}`,
    {
      hint: "split long documents, or keep the part that the decision hangs on",
    },
  );
}

const binary = (where: string): FlywheelError =>
  new FlywheelError("text_binary", `"${where}" holds NUL bytes: it is no text, or not UTF-8`, {
    hint: "export the data again as UTF-8 text",
  });

/**
 * The features of a record as JSON or a line of a table gives it. Columns that are gold, ids or ignored are left out.
 * @throws FlywheelError `unknown_feature` (where the task lists its features and `isStrict`), `value_not_finite`,
 *   `value_not_a_number`, `value_not_a_boolean`, `value_not_scalar`, `value_too_long`, `text_binary`, `record_empty`; each
 *   names the column
 */
export function readFields(
  columns: Columns,
  given: Readonly<Record<string, unknown>>,
  options: { readonly isStrict?: boolean } = {},
): RecordInput["fields"] {
  const { features } = columns;
  const names =
    features === "auto" ? Object.keys(given).filter((name) => isFeature(columns, name)) : Object.keys(features);
  if (features !== "auto" && options.isStrict) refuseUnknown(columns, given, names);
  const fields = Object.fromEntries(
    names.map((name) => [
      name,
      readValue(given[name], name, features === "auto" ? undefined : features[name], columns),
    ]),
  );
  if (Object.values(fields).some((value) => value !== null)) return fields;
  throw new FlywheelError("record_empty", `every feature is missing: ${names.join(", ") || "there is none"}`, {
    hint: "a record needs one value at least; check columns.features in the task's config",
  });
}

/** Where the task leaves the choice to the data. */
export const isFeature = (columns: Columns, name: string): boolean =>
  !isGold(columns.gold, name) &&
  name !== columns.id &&
  !columns.ignore.includes(name) &&
  (!isFrameIndex(name) || isKept(columns, name));

export const isKept = ({ keep }: Pick<Columns, "keep">, name: string): boolean => keep?.includes(name) ?? false;

/** What pandas and R call the row numbers that they write beside the data; a first column without a name is called `column 1` here. */
export const isFrameIndex = (name: string): boolean =>
  /^(?:Unnamed: 0(?:\.\d+)*|__index_level_\d+__|column 1)$/.test(name);

export type GoldColumn = {
  /** Empty where the task has one output. */
  readonly field: string;
  readonly column: string;
};

export function goldColumns({ gold }: Columns): readonly GoldColumn[] {
  if (gold === undefined) return [];
  if (typeof gold === "string") return [{ field: "", column: gold }];
  return Object.entries(gold).map(([field, column]) => ({ field, column }));
}

const isGold = (gold: Columns["gold"], name: string): boolean =>
  typeof gold === "object" ? Object.values(gold).includes(name) : name === gold;

function refuseUnknown(columns: Columns, given: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !names.includes(name) && isFeature(columns, name));
  if (unknown === undefined) return;
  throw new FlywheelError("unknown_feature", `"${unknown}" is no feature of the task`, {
    hint: `its features are ${names.join(", ")}; list it in columns.features and train again, or leave it out`,
  });
}

/**
 * What one cell says: null where it is missing. Without a `type`, numbers as JSON spells them are numbers, `true` and
 * `false` are booleans, and the rest (`007`, `+5`, `1,5`) are words.
 */
export function readValue(given: unknown, column: string, type?: FeatureType, writing: Writing = {}): FieldValue {
  const value = toScalar(given, column);
  if (value === null || isMissing(value, type)) return null;
  if (typeof value === "string" && value.length > MAX_FIELD_CHARACTERS) throw tooLong(column, value.length);
  if (typeof value === "string" && value.includes("\0")) throw binary(column);
  switch (type) {
    case undefined:
      return readUntyped(value, column, writing);
    case "number":
      return readNumber(value, column, writing);
    case "date":
    case "duration":
      return readMoment(value, { column, type });
    case "boolean":
      return readBoolean(value, column);
    case "category":
    case "text":
      return String(value).trim();
    default:
      return type satisfies never;
  }
}

/** How the task says that text is written. */
type Writing = Partial<Pick<Columns, "decimal">>;

type Scalar = string | number | boolean;

function toScalar(given: unknown, column: string): Scalar | null {
  if (given === undefined || given === null) return null;
  if (typeof given === "bigint") return Number.isSafeInteger(Number(given)) ? Number(given) : String(given);
  if (typeof given === "string" || typeof given === "boolean" || typeof given === "number") return given;
  throw new FlywheelError(
    "value_not_scalar",
    `column "${column}" holds ${Array.isArray(given) ? "a list" : "an object"}`,
    {
      hint: "a feature is a number, a word, true or false; spread lists and objects over columns of their own",
    },
  );
}

/** What spreadsheets, pandas, R and SQL write where there is nothing. */
const missingWords = new Set(["", "nan", "na", "n/a", "#n/a", "null"]);
const LONGEST_MISSING = 4;

function isMissing(value: Scalar, type: FeatureType | undefined): boolean {
  if (typeof value === "number") return Number.isNaN(value);
  if (typeof value === "boolean") return false;
  const word = value.trim();
  return word === "" || (type !== "text" && word.length <= LONGEST_MISSING && missingWords.has(word.toLowerCase()));
}

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i;
const anyNumber = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const infinite = /^[+-]?(?:inf|infinity)$/i;

function readUntyped(value: Scalar, column: string, { decimal }: Writing): FieldValue {
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return finite(value, column, value);
  const word = value.trim();
  if (infinite.test(word)) throw notFinite(column, word);
  if (/^(?:true|false)$/i.test(word)) return word.toLowerCase() === "true";
  if (decimal === "," && !/^-?\d+$/.test(word)) return readPlain(word, decimal) ?? word;
  // A whole number that a float cannot hold is an identifier, not a quantity.
  if (!jsonNumber.test(word) || (/^-?\d+$/.test(word) && !Number.isSafeInteger(Number(word)))) return word;
  return finite(Number(word), column, word);
}

/** A number without a unit; what has one is a word, until its column says which unit it is. */
function readPlain(word: string, decimal: DecimalMark): number | undefined {
  const read = readWritten(word, decimal);
  return read?.unit === "" ? read.value : undefined;
}

function readNumber(value: Scalar, column: string, { decimal }: Writing): number {
  if (typeof value === "number") return finite(value, column, value);
  const word = String(value).trim();
  if (infinite.test(word)) throw notFinite(column, word);
  if (decimal !== "," && anyNumber.test(word)) return finite(Number(word), column, word);
  const [point, comma] = DecimalMark.map((mark) => readWritten(word, mark)?.value);
  const read = decimal === "," ? comma : decimal === "." || comma === undefined || comma === point ? point : undefined;
  if (read !== undefined) return finite(read, column, word);
  const isOpen = decimal === undefined && (point ?? comma) !== undefined;
  throw new FlywheelError("value_not_a_number", `column "${column}" is a number, but holds ${shown(word)}`, {
    hint: isOpen
      ? 'say what stands before the decimals: columns.decimal: "," or "." in the task\'s config'
      : "correct the value, or declare the column a category",
  });
}

/** As it is written: the student reads its parts. */
function readMoment(value: Scalar, { column, type }: { readonly column: string; readonly type: "date" | "duration" }) {
  const word = String(value).trim();
  if (type === "duration" && typeof value === "number") return finite(value, column, value);
  const isRead =
    type === "duration" ? readDuration(word) !== undefined : DateOrder.some((order) => readDate(word, order));
  if (isRead) return word;
  throw new FlywheelError("value_not_a_date", `column "${column}" is a ${type}, but holds ${shown(word)}`, {
    hint:
      type === "date"
        ? "write 2025-07-22 or 22.07.2025, with 14:30 where there is a time"
        : "write 14:30, 36:00:00, 2h 15m or P1DT2H",
  });
}

function readBoolean(value: Scalar, column: string): boolean {
  const word = String(value).trim().toLowerCase();
  if (["true", "yes", "y", "1"].includes(word)) return true;
  if (["false", "no", "n", "0"].includes(word)) return false;
  throw new FlywheelError("value_not_a_boolean", `column "${column}" is a boolean, but holds ${shown(word)}`, {
    hint: "write true or false, or declare the column a category",
  });
}

function finite(value: number, column: string, spelling: string | number): number {
  if (!Number.isFinite(value)) throw notFinite(column, spelling);
  // −0 and 0 are the same value and must not be two.
  return value === 0 ? 0 : value;
}

const notFinite = (column: string, spelling: string | number): FlywheelError =>
  new FlywheelError("value_not_finite", `column "${column}" holds ${spelling}, which is not finite`, {
    hint: "leave the cell empty where the value is missing, or write the largest value that makes sense",
  });

const tooLong = (column: string, characters: number): FlywheelError =>
  new FlywheelError(
    "value_too_long",
    `column "${column}" holds ${characters} characters, more than ${MAX_FIELD_CHARACTERS}`,
    {
      hint: "list the column in columns.ignore, or shorten the value",
    },
  );

const shown = (word: string): string => JSON.stringify(word.length > 40 ? `${word.slice(0, 40)}…` : word);
