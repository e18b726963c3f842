import fc from "fast-check";
import { expect, test } from "vitest";
import { MOST_OUTSIDE, placeOf, scaleOf } from "./mixed-scale.ts";

const number = fc.float({ noNaN: true, noDefaultInfinity: true });
const seen = fc.array(fc.oneof(number, fc.constantFrom(0, 1, 5)), { minLength: 1, maxLength: 80 });
const scaleFrom = (values: readonly number[]) => scaleOf(Float32Array.from(values));

test("a number's place is its rank, and never falls as the number rises", () => {
  const scale = scaleFrom(Array.from({ length: 1001 }, (_, value) => value));
  for (const value of [0, 17, 250, 999.5, 1000]) expect(placeOf(scale, value)).toBeCloseTo(value / 1000, 6);
  fc.assert(
    fc.property(seen, number, number, (values, a, b) => {
      const own = scaleFrom(values);
      const [low, high] = [placeOf(own, Math.min(a, b)), placeOf(own, Math.max(a, b))];
      expect(low).toBeLessThanOrEqual(high + 1e-12);
      expect(low).toBeGreaterThanOrEqual(-MOST_OUTSIDE);
      expect(high).toBeLessThanOrEqual(1 + MOST_OUTSIDE);
    }),
  );
});

test("one outlier moves no rank by more than its share", () => {
  const usual = Array.from({ length: 200 }, (_, value) => value);
  const [without, withIt] = [scaleFrom(usual), scaleFrom([...usual, 1e30])];
  for (const value of [0, 50, 100, 190]) {
    expect(Math.abs(placeOf(without, value) - placeOf(withIt, value))).toBeLessThan(0.02);
  }
});

test("beyond what was seen, further is stranger, up to a limit; a value that many share takes their middle", () => {
  const scale = scaleFrom([...new Array(80).fill(0), ...Array.from({ length: 20 }, (_, value) => value)]);
  expect(placeOf(scale, 0)).toBeCloseTo(0.4, 1);
  const places = [19, 40, 400, 4e4].map((value) => placeOf(scale, value));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(new Set(places).size).toBe(4);
  expect(placeOf(scale, 3e38)).toBe(1 + MOST_OUTSIDE);
  expect(placeOf(scaleFrom([7, 7]), 7)).toBe(0.5);
  expect(placeOf(scaleFrom([]), 7)).toBe(0);
});
