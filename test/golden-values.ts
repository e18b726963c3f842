/** @file Reads `test/golden/*.json` (made by `scripts/golden/*.py`) and compares within the tolerance in the file. */

import { readFileSync } from "node:fs";
import { expect } from "vitest";

export type Golden<Cases> = { readonly rtol: number; readonly atol: number; readonly cases: Cases };

/** The reader names the shape of its own golden file; the script that made it is the only other party. */
export function readGolden<Cases>(name: string): Golden<Cases> {
  return JSON.parse(readFileSync(new URL(`./golden/${name}.json`, import.meta.url), "utf8")) as Golden<Cases>;
}

/** |actual − expected| ≤ atol + rtol·|expected|, element by element. */
export function expectClose(
  actual: ArrayLike<number> | number,
  expected: ArrayLike<number> | number,
  { rtol, atol }: { readonly rtol: number; readonly atol: number },
): void {
  const [left, right] = [asArray(actual), asArray(expected)];
  expect(left.length).toBe(right.length);
  left.forEach((value, index) => {
    const wanted = right[index]!;
    const allowed = atol + rtol * Math.abs(wanted);
    const close = value === wanted || Math.abs(value - wanted) <= allowed;
    expect(close, `[${index}]: ${value}, golden ${wanted}, allowed ±${allowed}`).toBe(true);
  });
}

const asArray = (values: ArrayLike<number> | number): number[] =>
  typeof values === "number" ? [values] : Array.from(values);
