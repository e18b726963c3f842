import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { cohenKappa, krippendorffAlpha, observedAgreement } from "./agreement.ts";
import { createRng } from "./random.ts";

type Cases = {
  readonly kappa: { k: number; first: number[]; second: number[]; kappa: number; standard_error: number }[];
  readonly krippendorff: { units: number[][]; alpha_3_digits: number };
};

describe("agreement", () => {
  const golden = readGolden<Cases>("math-agreement");

  test("Cohen's κ agrees with scikit-learn, its interval with the delta method", () => {
    for (const { k, first, second, kappa, standard_error } of golden.cases.kappa) {
      const estimate = cohenKappa(first, second, k)!;
      expectClose(estimate.value, kappa, golden);
      expectClose((estimate.high - estimate.low) / 2, 1.959963984540054 * standard_error, golden);
    }
  });

  test("Krippendorff's α gives the published value of his example", () => {
    const { units, alpha_3_digits } = golden.cases.krippendorff;
    const estimate = krippendorffAlpha(units, { rng: createRng("alpha"), resamples: 200 })!;
    expect(estimate.value).toBeCloseTo(alpha_3_digits, 3);
    expect(estimate.n).toBe(11); // the twelfth row has one label only
    expect(estimate.low).toBeLessThan(estimate.value);
  });

  test("is 1 for twins, and symmetric", () => {
    const pair = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })), { minLength: 2 });
    fc.assert(
      fc.property(pair, (rows) => {
        const [first, second] = [rows.map(([a]) => a), rows.map(([, b]) => b)];
        expect(observedAgreement(first, first).value).toBe(1);
        const [there, back] = [cohenKappa(first, second, 3), cohenKappa(second, first, 3)];
        // Undefined both ways where every label is the same.
        expect(there?.value ?? 1).toBeCloseTo(back?.value ?? 1, 10);
        expect(cohenKappa(first, first, 3)?.value ?? 1).toBeCloseTo(1, 10);
      }),
      // Found by chance once: every label the same.
      {
        examples: [
          [
            [
              [2, 2],
              [2, 2],
            ],
          ],
        ],
      },
    );
  });

  test("is undefined where every label is the same", () => {
    expect(cohenKappa([1, 1], [1, 1], 2)).toBeUndefined();
    const units = [
      [1, 1],
      [1, 1],
    ];
    expect(krippendorffAlpha(units, { rng: createRng(1) })).toBeUndefined();
  });

  test("chance agreement is κ = 0 within its interval", () => {
    const rng = createRng("chance");
    const draw = () => Int32Array.from({ length: 2000 }, () => rng.integer(3));
    const { low, high } = cohenKappa(draw(), draw(), 3)!;
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(0);
  });
});
