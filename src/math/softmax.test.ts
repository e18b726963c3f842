import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { argmaxRows, logSoftmax, logSumExp, softmax } from "./softmax.ts";

type Case = {
  readonly temperature: number;
  readonly k: number;
  readonly logits: number[];
  readonly log_softmax: number[];
  readonly log_sum_exp: number[];
};

const rows = fc.integer({ min: 1, max: 6 }).chain((k) =>
  fc.tuple(
    fc.constant(k),
    fc.array(fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: k, maxLength: k }), {
      minLength: 1,
    }),
  ),
);

describe("softmax", () => {
  const golden = readGolden<Case[]>("math-softmax");

  test("agrees with SciPy, extreme logits included", () => {
    for (const { temperature, k, logits, log_softmax, log_sum_exp } of golden.cases) {
      expectClose(logSoftmax(logits, k, temperature), log_softmax, golden);
      expectClose(softmax(logits, k, temperature), log_softmax.map(Math.exp), golden);
      const rows = log_sum_exp.map((_, row) => logits.slice(row * k, row * k + k));
      expectClose(rows.map(logSumExp), log_sum_exp, golden);
    }
  });

  test("rows sum to 1 and do not change when a constant is added to a row", () => {
    fc.assert(
      fc.property(rows, fc.double({ min: -100, max: 100, noNaN: true }), ([k, logits], shift) => {
        const plain = softmax(logits.flat(), k);
        const shifted = softmax(
          logits.flat().map((logit) => logit + shift),
          k,
        );
        logits.forEach((_, row) => {
          const sum = plain.subarray(row * k, row * k + k).reduce((total, p) => total + p, 0);
          expect(Math.abs(sum - 1)).toBeLessThan(1e-12);
        });
        expectClose(shifted, plain, { rtol: 1e-9, atol: 1e-12 });
      }),
    );
  });

  test("temperature never changes which class is first", () => {
    fc.assert(
      fc.property(rows, fc.double({ min: 0.05, max: 20, noNaN: true }), ([k, logits], temperature) => {
        const before = argmaxRows(logits.flat(), k);
        const after = softmax(logits.flat(), k, temperature);
        before.forEach((best, row) => {
          const largest = Math.max(...after.subarray(row * k, row * k + k));
          expect(after[row * k + best]).toBe(largest);
        });
      }),
    );
  });

  test("refuses rows that do not fit and temperatures that are not positive", () => {
    expect(() => softmax([1, 2, 3], 2)).toThrow("3 values do not fill rows of 2");
    expect(() => softmax([1, 2], 2, 0)).toThrow("temperature must be positive, got 0");
  });

  test("no values have no mass", () => expect(logSumExp([])).toBe(-Infinity));
});
