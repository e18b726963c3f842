import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng, fork, shuffle } from "./random.ts";

const draws = (seed: string | number, count: number) => {
  const rng = createRng(seed);
  return Array.from({ length: count }, () => rng.next());
};

describe("createRng", () => {
  test("one seed gives one stream, another seed another", () => {
    expect(draws(7, 5)).toEqual(draws(7, 5));
    expect(draws(7, 5)).not.toEqual(draws(8, 5));
  });

  test("is uniform on [0, 1): every tenth holds a tenth", () => {
    const counts = new Array<number>(10).fill(0);
    for (const draw of draws("uniform", 100_000)) counts[Math.floor(draw * 10)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(27.88); // 99.9 % quantile at nine degrees of freedom
  });

  test("normal draws have mean 0 and variance 1", () => {
    const rng = createRng("normal");
    const values = Array.from({ length: 50_000 }, () => rng.normal());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.02); // 4.5 standard errors
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  });

  test("refuses a bound that is no positive integer", () => {
    expect(() => createRng(1).integer(0)).toThrow(RangeError);
    expect(() => createRng(1).integer(1.5)).toThrow(RangeError);
  });
});

test("streams forked for two purposes do not follow each other", () => {
  expect(draws(fork(1, "split"), 3)).not.toEqual(draws(fork(1, "bootstrap"), 3));
});

test("a shuffle keeps every item and leaves its argument alone", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
      const before = [...items];
      expect(shuffle(items, createRng(seed)).sort()).toEqual([...items].sort());
      expect(items).toEqual(before);
    }),
  );
});
