/** @file The features of a schema without those that only say where a row stands in its file; each is named, and how to keep it. */

import { readFormatted } from "../../cells/column-format.ts";
import { readDate } from "../../cells/date.ts";
import { type Columns, isKept } from "../../columns.ts";
import { FlywheelError } from "../../errors.ts";
import type { Feature, Inferred, RecordRow } from "./feature-schema.ts";
import { type OrderVerdict, type PlacedRow, verdictOnOrder } from "./file-order.ts";

type NumberOrDate = Extract<Feature, { readonly type: "number" | "date" }>;
type Data = { readonly rows: readonly PlacedRow[]; readonly records: readonly RecordRow[] };

/**
 * What the task lists or keeps by name stays, with a warning and within the range that training had.
 * @throws FlywheelError `no_features`
 */
export function leaveOutOrder({ schema, warnings }: Inferred, data: Data, columns: Columns): Inferred {
  const judged = schema.features.map((feature) => judge(feature, data, columns));
  const features = judged.flatMap(({ feature }) => feature ?? []);
  const ignored = judged.flatMap(({ ignored: one }) => one ?? []);
  if (features.length === 0) throw onlyOrder(ignored);
  return {
    schema: { features, ignored: [...schema.ignored, ...ignored] },
    warnings: [...warnings, ...judged.flatMap(({ warning }) => warning ?? [])],
  };
}

function onlyOrder(ignored: readonly { readonly name: string; readonly why: string }[]): FlywheelError {
  const why = ignored.map((one) => `"${one.name}": ${one.why}`).join("; ");
  return new FlywheelError("no_features", `every column only says where a row stands in its file: ${why}`, {
    hint: "add columns that mean the same in the next file, or name one that does in columns.keep",
  });
}

type Judged = {
  readonly feature?: Feature;
  readonly ignored?: { readonly name: string; readonly why: string };
  readonly warning?: string;
};

function judge(feature: Feature, data: Data, columns: Columns): Judged {
  if (feature.type !== "number" && feature.type !== "date") return { feature };
  const values = valuesOf(feature, data.records);
  const verdict = verdictOnOrder(values, data.rows, { isTime: feature.type === "date" });
  if (!verdict) return { feature };
  const { name } = feature;
  if (verdict.kind === "sorted") return { feature: within(feature, values), warning: sortedBy(name) };
  if (isWanted(name, columns)) return { feature: within(feature, values), warning: wanted(name, verdict) };
  const warning = leftOut(name, verdict, feature.type);
  return feature.type === "date"
    ? { feature: withoutDay(feature), warning }
    : { ignored: { name, why: verdict.why }, warning };
}

/** A number, or the day of a date, in double precision: as float32s, long ids would be alike. NaN where there is none. */
function valuesOf(feature: NumberOrDate, records: readonly RecordRow[]): Float64Array {
  return Float64Array.from(records, ({ fields }) => {
    const value = fields[feature.name];
    if (value === null || value === undefined || typeof value === "boolean") return Number.NaN;
    if (feature.type === "date") return readDate(String(value), feature.order)?.days ?? Number.NaN;
    return (feature.format ? readFormatted(value, feature.format) : Number(value)) ?? Number.NaN;
  });
}

const isWanted = (name: string, columns: Columns): boolean => isKept(columns, name) || columns.features !== "auto";

function within(feature: Feature, values: Float64Array): Feature {
  if (feature.type !== "number") return feature;
  const present = values.filter((value) => !Number.isNaN(value));
  const range = present.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  return { ...feature, range };
}

const withoutDay = (feature: Extract<Feature, { readonly type: "date" }>): Feature => ({
  ...feature,
  parts: feature.parts.filter((part) => part !== "day"),
});

type Order = Extract<OrderVerdict, { readonly kind: "order" }>;

const leftOut = (name: string, { why }: Order, type: Feature["type"]): string =>
  `column "${name}" is ignored${type === "date" ? " but for its month, weekday and hour" : ""}: ${why}; to learn from it all the same: columns.keep: ["${name}"]`;

const wanted = (name: string, { why }: Order): string =>
  `column "${name}" is a feature by the task's wish, but ${why}: in another file it may mean something else; what lies beyond the values of training is escalated`;

const sortedBy = (name: string): string =>
  `the file is sorted by column "${name}": where that is the order of recording, list it in columns.ignore; what lies beyond the values of training is escalated`;
