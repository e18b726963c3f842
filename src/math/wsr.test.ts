import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { clopperPearsonUpper } from "./binomial.ts";
import { createRng } from "./random.ts";
import { bettingUpperBound } from "./wsr.ts";

describe("betting bound", () => {
  test("agrees with the authors' formula in NumPy", () => {
    const golden = readGolden<{ values: number[]; delta: number; bound: number }[]>("math-wsr");
    for (const { values, delta, bound } of golden.cases) expectClose(bettingUpperBound(values, delta), bound, golden);
  });

  test("misses the mean at most δ of the time, and beats a bound that knows only the range", () => {
    const rng = createRng("wsr");
    const [n, mean, delta, draws] = [200, 0.05, 0.1, 400];
    let [missed, total] = [0, 0];
    for (let draw = 0; draw < draws; draw++) {
      const bound = bettingUpperBound(
        Float64Array.from({ length: n }, () => (rng.next() < 2 * mean ? rng.next() : 0)),
        delta,
      );
      missed += Number(bound < mean);
      total += bound;
    }
    // Standard error of 10 % over 400 draws is 1.5 points: 14.5 % leaves three.
    expect(missed / draws).toBeLessThan(0.145);
    expect(total / draws).toBeLessThan(mean + Math.sqrt(Math.log(1 / delta) / (2 * n))); // Hoeffding
  });

  test("no values promise nothing; no errors promise little less than Clopper–Pearson", () => {
    expect(bettingUpperBound([], 0.1)).toBe(1);
    const clean = bettingUpperBound(new Float64Array(300), 0.1);
    expect(clean).toBeGreaterThanOrEqual(clopperPearsonUpper(0, 300, 0.1) - 1e-9);
    expect(clean).toBeLessThan(0.03);
  });

  test("refuses values outside [0, 1]", () => {
    expect(() => bettingUpperBound([0.5, 1.5], 0.1)).toThrow("values[1] must lie in [0, 1], got 1.5");
  });
});
