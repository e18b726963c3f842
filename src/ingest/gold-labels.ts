/** @file The cells of a line that hold gold, by field, and how one of them is named. */

import type { GoldColumn } from "../columns.ts";

/** What is said of a cell of one of several fields: `topic: biling`. */
export const inField = (field: string, text: string): string => (field === "" ? text : `${field}: ${text}`);

/** An empty cell of one of several fields says nothing of it. */
export function labelsIn(
  gold: readonly GoldColumn[],
  fields: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string>> {
  const cells = gold.map(({ field, column }) => [field, String(fields[column] ?? "").trim()] as const);
  return Object.fromEntries(cells.filter(([field, label]) => field === "" || label !== ""));
}
