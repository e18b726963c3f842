/**
 * @file From a record to the numbers that trees read. What cannot be read as the frozen schema says is an error that names
 * row and column: at serving it becomes an escalation, never a guess.
 */

import { readFormatted } from "../../cells/column-format.ts";
import { readDate } from "../../cells/date.ts";
import { type FieldValue, readValue } from "../../columns.ts";
import { FlywheelError, messageOf } from "../../errors.ts";
import type { RecordInput } from "../../records.ts";
import { createGramCounter, type GramCounter } from "./count-grams.ts";
import { partOf } from "./date-parts.ts";
import { categoryOf, type Feature, type FeatureSchema, widthOf } from "./feature-schema.ts";
import { rememberKeys } from "./remember-keys.ts";

/** A larger number is infinite as a float32, which is how trees are stored and compared. */
const LARGEST = 3.4028234663852886e38;

export type RecordEncoder = {
  /** Numbers that a record becomes. */
  readonly width: number;
  /**
   * Writes one record to `vector[offset …]`; NaN is missing. `row` names the record in messages.
   * @throws FlywheelError `feature_type_changed`, `feature_not_finite`, each naming row and column
   */
  encodeInto(vector: Float32Array, offset: number, fields: RecordInput["fields"], row: string): void;
};

export type EncoderEvents = {
  /** A column that the schema does not know: it is not read. */
  readonly onUnknownFeature?: (name: string) => void;
  /** A word that is no category of the schema's: it counts as missing. */
  readonly onUnknownCategory?: (name: string) => void;
  /** A value that is not of its column's type counts as missing; without this it is an error. */
  readonly onWrongType?: (name: string) => void;
};

export function createEncoder({ features, ignored }: FeatureSchema, events: EncoderEvents = {}): RecordEncoder {
  const columns = columnsOf(features, events);
  const width = features.reduce((sum, feature) => sum + widthOf(feature), 0);
  const elapsed = elapsedOf(features, columns);
  const silent = new Set(ignored.map(({ name }) => name));
  const columnOf = rememberKeys((name) => columns.get(name));
  const encodeOther = (vector: Float32Array, offset: number, { name, value, row }: Cell): void => {
    const column = columns.get(name);
    if (column === undefined) {
      if (!silent.has(name)) events.onUnknownFeature?.(name);
    } else if (column.date) column.date.writeInto(vector, offset + column.start, { value, row });
    else if (column.grams) column.grams.countInto(vector, offset + column.start, String(value));
    else vector[offset + column.start] = column.read(value, row);
  };
  return {
    width,
    encodeInto(vector, offset, fields, row) {
      vector.fill(Number.NaN, offset, offset + width);
      for (const { from } of elapsed) from.forget();
      for (const { to } of elapsed) to.forget();
      let place = 0;
      // Object.entries would make a list of pairs of what is there already; and most values are plain numbers.
      for (const name in fields) {
        const column = columnOf(place++, name);
        const value = fields[name];
        if (typeof value === "number" && column?.isNumber && value <= LARGEST && value >= -LARGEST) {
          vector[offset + column.start] = value;
        } else if (value !== null && value !== undefined) encodeOther(vector, offset, { name, value, row });
      }
      for (const { start, from, to } of elapsed) vector[offset + start] = to.days() - from.days();
    },
  };
}

type Cell = { readonly name: string; readonly value: NonNullable<FieldValue>; readonly row: string };

type Column = {
  /** Its first number. */
  readonly start: number;
  readonly isNumber: boolean;
  readonly read: Reader;
  readonly grams: GramCounter | undefined;
  readonly date: DateReader | undefined;
};

function columnsOf(features: readonly Feature[], events: EncoderEvents): ReadonlyMap<string, Column> {
  const columns = new Map<string, Column>();
  let start = 0;
  for (const feature of features) {
    const grams = feature.type === "text" ? createGramCounter(feature.grams) : undefined;
    const isNumber = feature.type === "number";
    const date = feature.type === "date" ? dateReader(feature, events) : undefined;
    columns.set(feature.name, { start, isNumber, read: readerOf(feature, events), grams, date });
    start += widthOf(feature);
  }
  return columns;
}

type Elapsed = { readonly start: number; readonly from: DateReader; readonly to: DateReader };

function elapsedOf(features: readonly Feature[], columns: ReadonlyMap<string, Column>): readonly Elapsed[] {
  return features.flatMap((feature) => {
    if (feature.type !== "elapsed") return [];
    const [from, to] = [columns.get(feature.from)?.date, columns.get(feature.to)?.date];
    return from && to ? [{ start: columns.get(feature.name)!.start, from, to }] : [];
  });
}

type DateReader = {
  writeInto(
    vector: Float32Array,
    at: number,
    cell: { readonly value: NonNullable<FieldValue>; readonly row: string },
  ): void;
  /** Of the record under way; NaN where it has none. */
  days(): number;
  forget(): void;
};

function dateReader(feature: Extract<Feature, { readonly type: "date" }>, events: EncoderEvents): DateReader {
  let days = Number.NaN;
  return {
    writeInto(vector, at, { value, row }) {
      const date = readDate(String(value), feature.order);
      if (!date) {
        wrongType({ ...feature, row, value }, events);
        return;
      }
      days = date.days;
      for (const [index, part] of feature.parts.entries()) vector[at + index] = partOf(date, part);
    },
    days: () => days,
    forget() {
      days = Number.NaN;
    },
  };
}

type WrongValue = { readonly name: string; readonly type: string; readonly row: string; readonly value: FieldValue };

function wrongType({ name, type, row, value }: WrongValue, events: EncoderEvents): void {
  if (events.onWrongType) {
    events.onWrongType(name);
    return;
  }
  const cause = new Error(`column "${name}" is a ${type}, but holds ${JSON.stringify(String(value).slice(0, 40))}`);
  throw typeChanged({ name, type, row, cause });
}

type Reader = (value: NonNullable<FieldValue>, row: string) => number;

function readerOf(feature: Feature, events: EncoderEvents): Reader {
  switch (feature.type) {
    case "number":
      return (value, row) =>
        finite(typeof value === "number" ? value : typed(value, feature, row, events), feature, row);
    case "boolean":
      return (value, row) => (typeof value === "boolean" ? Number(value) : typed(value, feature, row, events));
    case "category":
      return categoryReader(feature.name, feature.categories, events);
    case "text":
    case "date":
    case "elapsed":
      return () => Number.NaN; // its n-grams, its parts, or the dates that it is between, are read instead
    default:
      return feature satisfies never;
  }
}

function categoryReader(name: string, categories: readonly string[], { onUnknownCategory }: EncoderEvents): Reader {
  const codes = new Map(categories.map((category, code) => [category, code]));
  return (value) => {
    const known = typeof value === "string" ? codes.get(value) : undefined;
    const code = known ?? codes.get(categoryOf(value));
    if (code === undefined && !Number.isNaN(value)) onUnknownCategory?.(name);
    return code ?? Number.NaN;
  };
}

function finite(value: number, { name }: Feature, row: string): number {
  if (Math.abs(value) <= LARGEST || Number.isNaN(value)) return value;
  throw new FlywheelError("feature_not_finite", `row ${row}: column "${name}" holds ${value}, which is not finite`, {
    hint: "leave the value out where it is missing; numbers lie within ±3.4e38",
  });
}

/** Reads a value that is not of its column's own type: `"42"` is a number all the same, `"many"` is not. */
function typed(value: NonNullable<FieldValue>, feature: Feature, row: string, events: EncoderEvents): number {
  const { name, type } = feature;
  if (feature.type === "number" && feature.format && typeof value === "string") {
    const read = readFormatted(value, feature.format);
    if (read === undefined) wrongType({ name, type, row, value }, events);
    return read ?? Number.NaN;
  }
  if (type === "date" || type === "elapsed") return Number.NaN;
  try {
    return Number(readValue(value, name, type) ?? Number.NaN);
  } catch (cause) {
    if (!events.onWrongType) throw typeChanged({ name, type, row, cause });
    events.onWrongType(name);
    return Number.NaN;
  }
}

type Change = { readonly name: string; readonly type: string; readonly row: string; readonly cause: unknown };

function typeChanged({ name, type, row, cause }: Change): FlywheelError {
  return new FlywheelError("feature_type_changed", `row ${row}: ${messageOf(cause)}`, {
    hint: `the student learned "${name}" as a ${type}: send that, or give the column its type in columns.features and train again`,
    cause,
  });
}
