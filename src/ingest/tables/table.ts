/** @file What every reader of tables gives: records in order, each with the place that a person can look up. */

import type { Refusal } from "../candidate.ts";

export const TableFormat = ["csv", "jsonl", "json", "parquet"] as const;
export type TableFormat = (typeof TableFormat)[number];

export type TableRecord = {
  readonly kind: "record";
  /** `data.csv:12`: the line of a CSV or JSONL, the number of the record (from 1) elsewhere. */
  readonly source: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** A record, or a line that is none; the rest goes on. */
export type TableItem = TableRecord | ({ readonly kind: "refused" } & Refusal);

export type Table = {
  readonly source: string;
  /** In the order of the file; JSON files do not say before they are read. */
  readonly columns?: readonly string[];
  /** Of a Parquet file: columns whose cells are more than one value, and what they hold. */
  readonly nested?: Readonly<Record<string, string>>;
  /** Items, where it is cheap to know. */
  readonly total?: number;
  /** May be read once. */
  items(): AsyncGenerator<TableItem>;
};

export type TableFile = {
  /** A path, or an address that DuckDB reads (`s3://…`). */
  readonly path: string;
  /** What people are shown: the path as the user wrote it. */
  readonly source: string;
  readonly format: TableFormat;
} & TableForm;

/** What a user may say of a table that its name and its first lines do not. */
export type TableForm = {
  /** Of a CSV; guessed from its header where absent. */
  readonly delimiter?: string | undefined;
  /** Of a CSV: a character, or `none`; `"` where absent. */
  readonly quote?: string | undefined;
  /** Of a CSV: what stands before a quote within a quoted cell; the quote itself where absent. */
  readonly escape?: string | undefined;
  /** Of a CSV: whether its first line names the columns; without, they are called c1, c2, … */
  readonly header?: boolean | undefined;
  /** As the WHATWG calls it (`windows-1252`, `utf-16be`); UTF-8, or by its byte order mark, where absent. */
  readonly encoding?: string | undefined;
};

/** Longest line or record; what is longer is no data for a model, and would fill the memory. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;
