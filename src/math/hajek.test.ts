import { describe, expect, test } from "vitest";
import { proportionEstimate } from "./estimate.ts";
import { hajekMean, hajekProportion } from "./hajek.ts";
import { createRng } from "./random.ts";

/** 400 rows; the unsure half errs often and is audited often: the audited error rate is badly biased. */
function audited(rng: ReturnType<typeof createRng>) {
  const drawn = Array.from({ length: 4000 }, () => {
    const unsure = rng.next() < 0.5;
    return { wrong: Number(rng.next() < (unsure ? 0.2 : 0.02)), p: unsure ? 0.3 : 0.03, kept: rng.next() };
  }).filter((row) => row.kept < row.p);
  return { values: drawn.map((row) => row.wrong), propensity: drawn.map((row) => row.p) };
}

describe("Hájek's estimator", () => {
  test("undoes the selection, and its interval covers", () => {
    const rng = createRng("hajek");
    let [covered, total, naive] = [0, 0, 0];
    const draws = 300;
    for (let draw = 0; draw < draws; draw++) {
      const data = audited(rng);
      const { value, low, high } = hajekProportion(data);
      covered += Number(low <= 0.11 && 0.11 <= high);
      total += value / draws;
      naive += data.values.reduce((sum, z) => sum + z, 0) / data.values.length / draws;
    }
    expect(naive).toBeGreaterThan(0.17);
    expect(total).toBeCloseTo(0.11, 2);
    // Standard error of 95 % over 300 draws: 1.3 points; 91 % leaves three.
    expect(covered / draws).toBeGreaterThan(0.91);
  });

  test("equal propensities give the plain rate, with the exact interval", () => {
    const values = Array.from({ length: 50 }, (_, row) => Number(row < 5));
    const estimate = hajekProportion({ values, propensity: values.map(() => 0.2) });
    const plain = proportionEstimate(5, 50);
    for (const end of ["value", "low", "high"] as const) expect(estimate[end]).toBeCloseTo(plain[end], 10);
  });

  test("no error among unequal weights still leaves an interval", () => {
    const { value, high } = hajekProportion({ values: [0, 0, 0, 0], propensity: [1, 1, 0.1, 0.1] });
    expect(value).toBe(0);
    expect(high).toBeGreaterThan(proportionEstimate(0, 4).high); // the effective sample is smaller than 4
    expect(hajekMean({ values: [2, 4], propensity: [1, 1] }).value).toBe(3);
  });

  test("refuses a propensity of 0", () => {
    expect(() => hajekMean({ values: [1], propensity: [0] })).toThrow("propensity[0] must lie in (0, 1], got 0");
  });
});
