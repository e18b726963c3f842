import fc from "fast-check";
import { expect, test } from "vitest";
import { DirectionSearch, type Directions, writeDirection } from "./nearest-direction.ts";

const width = 7;
const vector = fc
  .array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: width, maxLength: width })
  .map((values) => Float32Array.from(values));
const vectors = fc.array(vector, { minLength: 1, maxLength: 12 });

/** All of one class, between two classes without rows. */
function directionsOf(rows: readonly Float32Array[]): Directions {
  const numbers = new Int8Array(rows.length * width);
  for (const [row, own] of rows.entries()) writeDirection(own, numbers, row * width);
  return { width, classStarts: Int32Array.of(0, 0, rows.length, rows.length), numbers };
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0);

function cosine(a: Float32Array, b: Float32Array): number {
  const product = dot(a, b);
  return product === 0 ? 0 : product / Math.sqrt(dot(a, a) * dot(b, b));
}

test("the distance is one minus the largest cosine, to the precision of a byte a number", () => {
  fc.assert(
    fc.property(vectors, vector, (rows, asked) => {
      const search = new DirectionSearch(directionsOf(rows));
      const byDefinition = 1 - Math.max(...rows.map((row) => cosine(row, asked)));
      expect(Math.abs(search.distance(asked, 1) - byDefinition)).toBeLessThan(0.02); // half a step of 127 in √7 directions
      expect(search.distance(asked, 1)).toBe(search.distance(asked, 1));
    }),
  );
});

test("neither the length of a vector nor the order of the rows matters", () => {
  fc.assert(
    fc.property(vectors, vector, (rows, asked) => {
      const search = new DirectionSearch(directionsOf(rows));
      const longer = asked.map((value) => 4 * value); // a power of two: exact
      expect(search.distance(longer, 1)).toBe(search.distance(asked, 1));
      expect(new DirectionSearch(directionsOf(rows.toReversed())).distance(asked, 1)).toBe(search.distance(asked, 1));
    }),
  );
});

test("what lies further round is further", () => {
  const search = new DirectionSearch(directionsOf([Float32Array.of(1, 0, 0, 0, 0, 0, 0)]));
  const at = (degrees: number) => {
    const angle = (degrees * Math.PI) / 180;
    return search.distance(Float32Array.of(Math.cos(angle), Math.sin(angle), 0, 0, 0, 0, 0), 1);
  };
  expect([0, 60, 90, 180].map(at)).toEqual([0, 0.5, 1, 2].map((value) => expect.closeTo(value, 6)));
});

test("a class without rows is as far as can be; the null vector is at right angles to all; NaN is near to none", () => {
  const search = new DirectionSearch(directionsOf([new Float32Array(width).fill(1)]));
  expect(search.distance(new Float32Array(width).fill(1), 0)).toBe(2);
  expect(search.distance(new Float32Array(width), 1)).toBe(1);
  expect(search.distance(new Float32Array(width).fill(Number.NaN), 1)).toBeNaN();
});

test("classes that do not hold the rows are refused", () => {
  expect(() => new DirectionSearch({ width: 2, classStarts: Int32Array.of(0, 2), numbers: new Int8Array(2) })).toThrow(
    RangeError,
  );
});
