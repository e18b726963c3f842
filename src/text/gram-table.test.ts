import fc from "fast-check";
import { expect, test } from "vitest";
import { GramTable } from "./gram-table.ts";

/** Few different hashes, so that n-grams come again and probes collide. */
const gram = fc.tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: 0, max: 40 }));
const text = fc.array(gram, { maxLength: 60 });

const gramsOf = (pairs: readonly (readonly [number, number])[]) => ({
  low: Int32Array.from(pairs, ([low]) => low),
  high: Int32Array.from(pairs, ([, high]) => high),
  count: pairs.length,
});

test("numbers n-grams and counts them as a map does, text after text", () => {
  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 5 }), (known, texts) => {
      const table = new GramTable();
      const twin = new Map<string, number>();
      for (const [low, high] of known) {
        const number = twin.get(`${low} ${high}`) ?? twin.size;
        twin.set(`${low} ${high}`, number);
        expect(table.add(low, high)).toBe(number);
      }
      let base = 0;
      for (const pairs of texts) {
        const numbers = new Int32Array(60);
        const counts = new Float32Array(60);
        const end = table.tally(gramsOf(pairs), { numbers, counts, start: 0, base });
        base += end;
        const expected = new Map<number, number>();
        for (const [low, high] of pairs) {
          const number = twin.get(`${low} ${high}`);
          if (number !== undefined) expected.set(number, (expected.get(number) ?? 0) + 1);
        }
        expect([...numbers.subarray(0, end)]).toEqual([...expected.keys()]);
        expect([...counts.subarray(0, end)]).toEqual([...expected.values()]);
      }
    }),
  );
});

test("grows without losing any n-gram, and lists them all", () => {
  const table = new GramTable();
  for (let number = 0; number < 5000; number++) table.add(Math.imul(number, 0x9e3779b1), number);
  const seen = new Set<number>();
  table.forEach((low, high, number) => {
    expect([low, high]).toEqual([Math.imul(number, 0x9e3779b1), number]);
    seen.add(number);
  });
  expect(seen.size).toBe(5000);
});

test("counts from nothing again once its marks are forgotten", () => {
  const table = new GramTable();
  table.add(7, 7);
  const grams = gramsOf([[7, 7]]);
  const [numbers, counts] = [new Int32Array(4), new Float32Array(4)];
  for (let round = 0; round < 3; round++) {
    expect(table.tally(grams, { numbers, counts, start: 0, base: 0 })).toBe(round === 0 ? 1 : 0);
  }
  table.forgetMarks();
  expect(table.tally(grams, { numbers, counts, start: 0, base: 0 })).toBe(1);
  expect(counts[0]).toBe(1);
});
