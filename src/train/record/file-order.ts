/**
 * @file Columns that only say where a row stands in its file: row numbers, ids, positions, times of recording. Sorted by label, a
 * file gives its answer away in them; in the next file they mean something else. Names say little: the values are looked at.
 */

import { createSequence, type SequenceVerdict } from "../../cells/sequence.ts";
import type { TrainingRow } from "../training-rows.ts";

export type OrderVerdict =
  /** Of no use at serving: not to be learned from. */
  | { readonly kind: "order"; readonly why: string }
  /** Sorted by, which a person may have done. */
  | { readonly kind: "sorted" };

export type PlacedRow = Pick<TrainingRow, "place" | "classIndex">;

/** Different values below which a sorted column is a group rather than a place. */
const MIN_DISTINCT = 20;
/** Agreement of neighbours beyond chance from which a column tells the labels apart nearly alone. */
const TELLS_ALONE = 0.7;

/**
 * @param values `[rows]`, NaN is missing
 * @param isTime of a moment: one that rises with the file is when the row was recorded
 */
export function verdictOnOrder(
  values: ArrayLike<number>,
  rows: readonly PlacedRow[],
  { isTime = false }: { readonly isTime?: boolean } = {},
): OrderVerdict | undefined {
  const seen = inFileOrder(values, rows);
  if (seen.isEven) return { kind: "order", why: "its numbers fill their range without a gap: they number the rows" };
  if (!seen.isSorted || seen.distinct < MIN_DISTINCT) return undefined;
  if (isTime) return { kind: "order", why: "it rises with the file: it says when the row was recorded" };
  if (seen.isNumbering)
    return { kind: "order", why: "it is sorted as the file is and nearly always different: a row number or an id" };
  if (tellsAlone(values, rows)) {
    return {
      kind: "order",
      why: "it is sorted as the file is and tells the labels apart nearly alone: target leakage",
    };
  }
  return { kind: "sorted" };
}

/** Rows of which nobody knows the place come last: they break no order, for they are many or none. */
function inFileOrder(values: ArrayLike<number>, rows: readonly PlacedRow[]): SequenceVerdict {
  const placed = [...rows.keys()].filter((row) => rows[row]!.place);
  placed.sort((a, b) => compare(rows[a]!.place!, rows[b]!.place!));
  const sequence = createSequence();
  for (const row of placed.length >= MIN_DISTINCT ? placed : rows.keys()) sequence.add(values[row]!);
  return sequence.verdict();
}

type Place = NonNullable<PlacedRow["place"]>;
const compare = (a: Place, b: Place): number => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1);

/** Of rows sorted by the value, how much more often neighbours have one label than chance would have it. */
function tellsAlone(values: ArrayLike<number>, rows: readonly PlacedRow[]): boolean {
  const order = [...rows.keys()].filter((row) => !Number.isNaN(values[row]!)).sort((a, b) => values[a]! - values[b]!);
  const counts = Map.groupBy(order, (row) => rows[row]!.classIndex);
  const chance = counts.values().reduce((sum, { length }) => sum + (length / order.length) ** 2, 0);
  const alike = order.filter((row, at) => at > 0 && rows[row]!.classIndex === rows[order[at - 1]!]!.classIndex).length;
  return chance < 1 && (alike / (order.length - 1) - chance) / (1 - chance) >= TELLS_ALONE;
}
