import fc from "fast-check";
import { expect, test } from "vitest";
import { type MixedRows, MixedSearch } from "./nearest-mixed.ts";

const isOrdered = [true, false, true];
const weights = Float32Array.of(0.5, 0.25, 0.25);
const missing = fc.constant(Number.NaN);
/** Of no more than 65 rows every number is a knot of its column's scale: the search is then exact. */
const ordered = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 9 }) }, missing);
const named = fc.oneof({ weight: 6, arbitrary: fc.nat({ max: 3 }) }, missing);
const row = fc.tuple(ordered, named, ordered);
const rows = fc.array(row, { minLength: 1, maxLength: 30 });

type Row = readonly [number, number, number];

/** All of the second of three classes. */
const searchOf = (given: readonly Row[]): MixedSearch => new MixedSearch(rowsOf(given));
const rowsOf = (given: readonly Row[]): MixedRows => ({
  values: Float32Array.from(given.flat()),
  classStarts: Int32Array.of(0, 0, given.length, given.length),
  weights,
  isOrdered,
});

/** The middle of the ranks of those that are equal. */
function rank(given: readonly Row[], column: number, value: number): number {
  const seen = given.map((own) => own[column]!).filter((own) => !Number.isNaN(own));
  const below = seen.filter((own) => own < value).length;
  const equal = seen.filter((own) => own === value).length;
  return seen.length === 1 ? 0.5 : (below + (equal - 1) / 2) / (seen.length - 1);
}

function difference(given: readonly Row[], column: number, [a, b]: readonly [number, number]): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a) !== Number.isNaN(b));
  return isOrdered[column] ? Math.abs(rank(given, column, a) - rank(given, column, b)) : Number(a !== b);
}

/** The search as its description has it. */
function byDefinition(given: readonly Row[], asked: Row): number {
  const distances = given.map((own) =>
    own.reduce((sum, value, column) => sum + weights[column]! * difference(given, column, [asked[column]!, value]), 0),
  );
  const nearest = distances.sort((a, b) => a - b).slice(0, 5);
  return nearest.reduce((sum, distance) => sum + distance, 0) / nearest.length;
}

test("the distance is the mean of Gower's to the five nearest, by ranks", () => {
  fc.assert(
    fc.property(rows, fc.nat(), (given, at) => {
      // Each value one that a row has: what lies between and beyond is `placeOf`'s.
      const asked: Row = [0, 1, 2].map((column) => given[(at + 7 * column) % given.length]![column]!) as [
        number,
        number,
        number,
      ];
      const search = searchOf(given);
      expect(search.distance(Float32Array.from(asked), 1)).toBeCloseTo(byDefinition(given, asked), 9);
    }),
  );
});

test("nothing is left behind by a question, and the order of the rows does not matter", () => {
  fc.assert(
    fc.property(rows, row, row, (given, asked, other) => {
      const search = searchOf(given);
      const first = search.distance(Float32Array.from(asked), 1);
      search.distance(Float32Array.from(other), 1);
      expect(search.distance(Float32Array.from(asked), 1)).toBe(first);
      expect(searchOf(given.toReversed()).distance(Float32Array.from(asked), 1)).toBeCloseTo(first, 12);
    }),
  );
});

test("each difference counts by its weight: another name, what is missing, numbers further out", () => {
  const given = Array.from({ length: 65 }, (): Row => [1, 2, 3]);
  const of = (...asked: Row): number => searchOf(given).distance(Float32Array.from(asked), 1);
  expect(of(1, 2, 3)).toBe(0);
  expect(of(1, 3, 3)).toBe(0.25);
  expect(of(1, 9, 3)).toBe(0.25);
  expect(of(Number.NaN, 2, 3)).toBe(0.5);
  expect(of(Number.NaN, 9, Number.NaN)).toBe(1);
  const outside = [2, 20, 2000, 3e38].map((value) => of(value, 2, 3));
  expect(outside).toEqual(outside.toSorted((a, b) => a - b));
  expect(new Set([0, ...outside]).size).toBe(5);
});

test("what is missing everywhere is familiar where it is missing, strange where it is not", () => {
  const search = searchOf([[Number.NaN, Number.NaN, 1]]);
  expect(search.distance(Float32Array.of(Number.NaN, Number.NaN, 1), 1)).toBe(0);
  expect(search.distance(Float32Array.of(4, 0, 1), 1)).toBe(0.75);
});

test("a class without rows is as far as can be; shapes that do not match are refused", () => {
  const good = rowsOf([[1, 2, 3]]);
  expect(new MixedSearch(good).distance(Float32Array.of(1, 2, 3), 0)).toBe(11);
  expect(() => new MixedSearch({ ...good, weights: weights.subarray(1) })).toThrow("weights must have");
  expect(() => new MixedSearch({ ...good, classStarts: Int32Array.of(0, 2) })).toThrow("do not hold");
});
