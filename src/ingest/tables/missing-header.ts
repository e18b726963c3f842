/** @file Whether the first line of a CSV is a row already: numbers stand above numbers, and names above no numbers. */

import { readDate } from "../../cells/date.ts";
import { readNumber } from "../../cells/number.ts";

const isQuantity = (cell: string): boolean =>
  readNumber(cell, ".") !== undefined ||
  readNumber(cell, ",") !== undefined ||
  readDate(cell, "day-first") !== undefined;

/** @param rows the first ones below it */
export function looksLikeData(header: readonly string[], rows: readonly (readonly string[])[]): boolean {
  const quantities = [...header.keys()].filter((column) => isQuantity(header[column]!));
  if (quantities.length === 0 || rows.length < 2 || areNames(quantities.map((column) => header[column]!))) return false;
  const numeric = [...header.keys()].filter((column) => rows.every((row) => isQuantity(row[column] ?? "")));
  return numeric.length > 0 && numeric.join() === quantities.join();
}

/** Years, or places counted from 0 or 1, are names that somebody gave. */
function areNames(cells: readonly string[]): boolean {
  const numbers = cells.map(Number);
  if (numbers.every((number) => Number.isInteger(number) && number >= 1900 && number <= 2100)) return true;
  return numbers.length > 1 && numbers.every((number, at) => at === 0 || number - numbers[at - 1]! === 1);
}
