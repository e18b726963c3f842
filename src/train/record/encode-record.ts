/**
 * @file From a record to the numbers that trees read. What cannot be read as the frozen schema says is an error that names
 * row and column: at serving it becomes an escalation, never a guess.
 */

import { type FieldValue, readValue } from "../../columns.ts";
import { FlywheelError, messageOf } from "../../errors.ts";
import type { RecordInput } from "../../records.ts";
import { createGramCounter, type GramCounter } from "./count-grams.ts";
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
  const silent = new Set(ignored.map(({ name }) => name));
  const columnOf = rememberKeys((name) => columns.get(name));
  const encodeOther = (vector: Float32Array, offset: number, { name, value, row }: Cell): void => {
    const column = columns.get(name);
    if (column === undefined) {
      if (!silent.has(name)) events.onUnknownFeature?.(name);
    } else if (column.grams) column.grams.countInto(vector, offset + column.start, String(value));
    else vector[offset + column.start] = column.read(value, row);
  };
  return {
    width,
    encodeInto(vector, offset, fields, row) {
      vector.fill(Number.NaN, offset, offset + width);
      let place = 0;
      // Object.entries would make a list of pairs of what is there already; and most values are plain numbers.
      for (const name in fields) {
        const column = columnOf(place++, name);
        const value = fields[name];
        if (typeof value === "number" && column?.isNumber && value <= LARGEST && value >= -LARGEST) {
          vector[offset + column.start] = value;
        } else if (value !== null && value !== undefined) encodeOther(vector, offset, { name, value, row });
      }
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
};

function columnsOf(features: readonly Feature[], events: EncoderEvents): ReadonlyMap<string, Column> {
  const columns = new Map<string, Column>();
  let start = 0;
  for (const feature of features) {
    const grams = feature.type === "text" ? createGramCounter(feature.grams) : undefined;
    const isNumber = feature.type === "number";
    columns.set(feature.name, { start, isNumber, read: readerOf(feature, events), grams });
    start += widthOf(feature);
  }
  return columns;
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
      return () => Number.NaN; // its n-grams are counted instead
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
function typed(value: NonNullable<FieldValue>, { name, type }: Feature, row: string, events: EncoderEvents): number {
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
