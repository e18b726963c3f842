import { describe, expect, test } from "vitest";
import { meanEstimate, proportionEstimate, varianceOf } from "./estimate.ts";
import { createRng } from "./random.ts";

describe("estimates", () => {
  test("a rate of nothing is refused, not invented", () => {
    expect(() => proportionEstimate(0, 0)).toThrow("at least one trial");
    expect(() => meanEstimate([1])).toThrow("at least two values");
  });

  test("the exact interval covers at least as often as it says, near 1 too", () => {
    // 2,000 draws at 95 %: the standard error is 0.5 points, so 94 % leaves two of them.
    for (const rate of [0.5, 0.97]) {
      const rng = createRng(`coverage/${rate}`);
      let covered = 0;
      for (let draw = 0; draw < 2000; draw++) {
        let successes = 0;
        for (let row = 0; row < 50; row++) successes += Number(rng.next() < rate);
        const { low, high } = proportionEstimate(successes, 50);
        covered += Number(low <= rate && rate <= high);
      }
      expect(covered / 2000).toBeGreaterThan(0.94);
    }
  });

  test("a mean carries its normal interval", () => {
    const { value, low, high, n } = meanEstimate([1, 2, 3, 4]);
    expect([value, n]).toEqual([2.5, 4]);
    // 1.959964 · √(5/3 / 4)
    expect(high - value).toBeCloseTo(1.26517, 4);
    expect(value - low).toBeCloseTo(high - value, 12);
    expect(varianceOf([1, 2, 3, 4], 0)).toBe(1.25);
  });

  test("values that are not finite are named", () => {
    expect(() => meanEstimate([1, Number.NaN])).toThrow("values[1] is NaN");
  });
});
