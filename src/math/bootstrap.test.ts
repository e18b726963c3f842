import { describe, expect, test } from "vitest";
import { bootstrapEstimate, resample } from "./bootstrap.ts";
import { meanEstimate, meanOf } from "./estimate.ts";
import { createRng } from "./random.ts";

describe("bootstrap", () => {
  test("a resample keeps n and ascends", () => {
    const rows = resample(100, createRng("resample"));
    expect(rows.length).toBe(100);
    expect([...rows].every((row, place) => place === 0 || row >= rows[place - 1]!)).toBe(true);
    expect(new Set(rows).size).toBeLessThan(80); // about 63 distinct rows of 100
  });

  test("of a mean, it gives the normal interval", () => {
    const rng = createRng("values");
    const values = Float64Array.from({ length: 400 }, () => rng.normal());
    const drawn = bootstrapEstimate(400, (rows) => meanOf(Float64Array.from(rows, (row) => values[row]!)), { rng });
    const normal = meanEstimate(values);
    // The interval's ends carry about 0.05 standard errors of Monte Carlo noise at 1,000 resamples; allow 0.3 (0.015).
    expect(Math.abs(drawn.low - normal.low)).toBeLessThan(0.015);
    expect(Math.abs(drawn.high - normal.high)).toBeLessThan(0.015);
  });

  test("the same seed gives the same interval", () => {
    const run = () => bootstrapEstimate(20, (rows) => rows[3]!, { rng: createRng(5), resamples: 50 });
    expect(run()).toEqual(run());
  });

  test("resamples without a value are left out; none at all is an error", () => {
    const onlyWhole = (rows: Int32Array) => (new Set(rows).size === rows.length ? 1 : Number.NaN);
    expect(() => bootstrapEstimate(50, onlyWhole, { rng: createRng(1), resamples: 20 })).toThrow("not finite on any");
    expect(() => bootstrapEstimate(5, () => Number.NaN, { rng: createRng(1) })).toThrow("themselves is NaN");
  });

  test("centring brings an inflated statistic's interval back around its value", () => {
    // The number of distinct values shrinks by e⁻¹ in every resample: the plain interval lies far below.
    const distinct = (rows: Int32Array) => new Set(rows).size;
    const options = { rng: createRng(2), resamples: 200 };
    const plain = bootstrapEstimate(100, distinct, options);
    const centred = bootstrapEstimate(100, distinct, { ...options, centred: true });
    expect(plain.low).toBeLessThan(65);
    expect(centred.low).toBeGreaterThan(90);
  });
});
