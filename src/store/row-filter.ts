/** @file The filter on rows, shared by the nouns that list rows or what hangs on them; and reading a row back. */

import type { Expression, ExpressionBuilder, SqlBool } from "kysely";
import { type Input, type Row, rowId } from "../records.ts";
import type { RowFilter } from "./contract.ts";
import { fromJson, toBit } from "./database.ts";
import type { RowRecord, Schema } from "./schema.ts";

export function rowMatches(filter: RowFilter) {
  return (eb: ExpressionBuilder<Schema, "rows">): Expression<SqlBool> =>
    eb.and([
      ...(filter.split === undefined ? [] : [eb("rows.split", "=", filter.split)]),
      ...(filter.origin === undefined ? [] : [eb("rows.origin", "=", filter.origin)]),
      ...(filter.uniform === undefined ? [] : [eb("rows.uniform", "=", toBit(filter.uniform))]),
      ...(filter.kind === undefined ? [] : [eb("rows.kind", "=", filter.kind)]),
    ]);
}

export function toRow(record: RowRecord): Row {
  return {
    id: rowId(record.id),
    input: fromJson<Input>(record.input, `row ${record.id}`),
    source: record.source,
    origin: record.origin as Row["origin"],
    uniform: record.uniform === 1,
    split: record.split as Row["split"],
    propensity: record.propensity,
    createdAt: record.created_at,
  };
}

export function fromRow(row: Row): RowRecord {
  return {
    id: row.id,
    kind: row.input.kind,
    input: JSON.stringify(row.input),
    source: row.source,
    origin: row.origin,
    uniform: toBit(row.uniform),
    split: row.split,
    propensity: row.propensity,
    created_at: row.createdAt,
  };
}
