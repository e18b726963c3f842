import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import {
  binomialCdf,
  clopperPearsonInterval,
  clopperPearsonLower,
  clopperPearsonUpper,
  fewestTrialsFor,
  mostErrorsBelow,
} from "./binomial.ts";

type Cases = {
  readonly bounds: { k: number; m: number; delta: number; upper: number; lower: number }[];
  readonly cdf: { k: number; n: number; p: number; cdf: number }[];
  readonly table: { errors: number; risk: number; delta: number; trials: number }[];
};

const counts = fc
  .integer({ min: 1, max: 400 })
  .chain((trials) => fc.tuple(fc.integer({ min: 0, max: trials }), fc.constant(trials)));
const delta = fc.constantFrom(0.01, 0.05, 0.1, 0.3);

describe("binomial", () => {
  const golden = readGolden<Cases>("math-binomial");

  test("bounds and distribution agree with SciPy", () => {
    for (const { k, m, delta, upper, lower } of golden.cases.bounds) {
      expectClose(clopperPearsonUpper(k, m, delta), upper, golden);
      expectClose(clopperPearsonLower(k, m, delta), lower, golden);
    }
    for (const { k, n, p, cdf } of golden.cases.cdf) expectClose(binomialCdf(k, n, p), cdf, golden);
  });

  test("the upper bound is where so few errors become improbable", () => {
    fc.assert(
      fc.property(counts, delta, ([errors, trials], delta) => {
        const upper = clopperPearsonUpper(errors, trials, delta);
        if (errors === trials) expect(upper).toBe(1);
        else expect(binomialCdf(errors, trials, upper)).toBeCloseTo(delta, 8);
      }),
    );
  });

  test("the interval contains the rate and mirrors when errors become successes", () => {
    fc.assert(
      fc.property(counts, ([errors, trials]) => {
        const [low, high] = clopperPearsonInterval(errors, trials);
        expect(low).toBeLessThanOrEqual(errors / trials);
        expect(high).toBeGreaterThanOrEqual(errors / trials);
        const [mirroredLow, mirroredHigh] = clopperPearsonInterval(trials - errors, trials);
        expect(1 - mirroredHigh).toBeCloseTo(low, 9);
        expect(1 - mirroredLow).toBeCloseTo(high, 9);
      }),
    );
  });

  test("ends are exact: nothing seen, everything wrong, nothing wrong", () => {
    expect(clopperPearsonUpper(0, 0, 0.1)).toBe(1);
    expect(clopperPearsonLower(0, 0, 0.1)).toBe(0);
    expect(clopperPearsonUpper(7, 7, 0.1)).toBe(1);
    expect(clopperPearsonUpper(0, 45, 0.1)).toBeCloseTo(1 - 0.1 ** (1 / 45), 12);
    expect(binomialCdf(-1, 10, 0.5)).toBe(0);
    expect(binomialCdf(10, 10, 0.5)).toBe(1);
  });

  test("the table of accepted labels needed (SCIENCE §2) is reproduced", () => {
    for (const { errors, risk, delta, trials } of golden.cases.table) {
      expect(fewestTrialsFor(risk, delta, { errorsAt: () => errors })).toBe(trials);
    }
  });

  test("the most errors below a risk is the last count whose bound still holds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), delta, fc.constantFrom(0.01, 0.03, 0.2), (trials, delta, risk) => {
        const most = mostErrorsBelow(risk, trials, delta);
        if (most === undefined) expect(clopperPearsonUpper(0, trials, delta)).toBeGreaterThanOrEqual(risk);
        else {
          expect(clopperPearsonUpper(most, trials, delta)).toBeLessThan(risk);
          expect(clopperPearsonUpper(most + 1, trials, delta)).toBeGreaterThanOrEqual(risk);
        }
      }),
    );
  });

  test("no number of trials certifies a risk that the error rate itself exceeds", () => {
    expect(fewestTrialsFor(0.05, 0.1, { errorsAt: (n) => Math.ceil(0.06 * n), limit: 100_000 })).toBeUndefined();
  });

  test("refuses counts that are none", () => {
    expect(() => clopperPearsonUpper(3, 2, 0.1)).toThrow("successes (3) exceed trials (2)");
    expect(() => clopperPearsonUpper(0.5, 2, 0.1)).toThrow("successes must be an integer");
    expect(() => clopperPearsonUpper(0, 2, 0)).toThrow("delta must lie in (0, 1), got 0");
  });
});
