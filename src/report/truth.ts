/**
 * @file Whose word counts. Gold where there is enough of it, else people's rulings, else the teacher's own verdict; a
 * figure always says which it was counted against.
 */

import type { LabelValue, RowId } from "../records.ts";
import { auditPosition } from "../task.ts";
import type { Truth } from "./report-data.ts";

/** Every word known of one row. */
export type Words = { readonly [T in Truth]?: LabelValue | undefined };

/** With fewer rows than this an interval says nothing: the next best truth is taken. */
export const LEAST_TRUTH_ROWS = 30;

/** From the most to the least trusted. */
export const truths: readonly Truth[] = ["gold", "person", "teacher"];

/** The best truth with enough rows; else the one with most; undefined where nobody spoke. */
export function chooseTruth<T extends { readonly n: number }>(byTrust: readonly T[]): T | undefined {
  const enough = byTrust.find(({ n }) => n >= LEAST_TRUTH_ROWS);
  return enough ?? byTrust.filter(({ n }) => n > 0).toSorted((a, b) => b.n - a.n)[0];
}

/**
 * The rows that people ruled on in the order of audits, up to the first gap: a uniform sample, whatever else was ruled on.
 * Rulings beyond it went to the rows that looked worst and would understate anything that is counted on them.
 */
export function uniformlyRuled<T extends { readonly id: RowId }>(
  rows: readonly T[],
  isRuled: (row: T) => boolean,
): readonly T[] {
  const ordered = rows
    .map((row) => ({ row, position: auditPosition(row.id) }))
    .toSorted((a, b) => a.position - b.position)
    .map(({ row }) => row);
  const gap = ordered.findIndex((row) => !isRuled(row));
  return gap < 0 ? ordered : ordered.slice(0, gap);
}
