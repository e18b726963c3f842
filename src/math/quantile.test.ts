import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { oneSidedZ, twoSidedZ } from "./normal.ts";
import { quantile, quantiles } from "./quantile.ts";

describe("quantile", () => {
  test("agrees with NumPy, and z with SciPy", () => {
    const golden = readGolden<{
      readonly values: number[];
      readonly qs: number[];
      readonly quantiles: number[];
      readonly z_two_sided_95: number;
      readonly z_one_sided_95: number;
    }>("math-quantile");
    const { cases } = golden;
    expectClose(quantiles(cases.values, cases.qs), cases.quantiles, golden);
    expectClose([twoSidedZ(0.95), oneSidedZ(0.95)], [cases.z_two_sided_95, cases.z_one_sided_95], golden);
  });

  test("lies among the values and grows with q", () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(values, share, share, (values, a, b) => {
        const [low, high] = [quantile(values, Math.min(a, b)), quantile(values, Math.max(a, b))];
        expect(low).toBeLessThanOrEqual(high + 1e-9);
        expect(low).toBeGreaterThanOrEqual(Math.min(...values) - 1e-9);
        expect(high).toBeLessThanOrEqual(Math.max(...values) + 1e-9);
      }),
    );
  });

  test("refuses no values and shares outside [0, 1]", () => {
    expect(() => quantile([], 0.5)).toThrow("at least one value");
    expect(() => quantile([1], 1.1)).toThrow("q must lie in [0, 1], got 1.1");
  });
});
