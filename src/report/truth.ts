/**
 * @file Whose word counts. Gold where there is enough of it, else people's rulings, else the teacher's own verdict; a
 * figure always says which it was counted against.
 */

import type { LabelValue } from "../records.ts";
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
