import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareModels, type Judged } from "./compare.ts";

/** `right` of `n` correct and `answered` of `n` answered, the first ones. */
const judged = (n: number, right: number, answered: number): Judged => ({
  correct: Uint8Array.from({ length: n }, (_, row) => Number(row < right)),
  answers: Uint8Array.from({ length: n }, (_, row) => Number(row < answered)),
});

describe("compareModels", () => {
  test("promotes a challenger that is better on both counts", () => {
    const comparison = compareModels(judged(400, 340, 200), judged(400, 360, 240), { margin: 0.01 });
    expect(comparison.promote).toBe(true);
    expect(comparison.why).toContain("85.0 % → 90.0 %");
  });

  test("does not promote on too few rows to tell, however good it looks", () => {
    const few: Judged = { correct: Uint8Array.of(1, 1, 0, 1), answers: Uint8Array.of(1, 1, 1, 1) };
    const champion: Judged = { correct: Uint8Array.of(1, 0, 1, 1), answers: Uint8Array.of(1, 0, 0, 0) };
    expect(compareModels(champion, few, { margin: 0.01 }).promote).toBe(false);
  });

  test("does not promote where coverage falls, and says so", () => {
    const comparison = compareModels(judged(400, 340, 200), judged(400, 360, 199), { margin: 0.01 });
    expect(comparison.promote).toBe(false);
    expect(comparison.why).toContain("coverage 50.0 % → 49.8 % falls");
  });

  test("a model never loses to itself", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(300), fc.nat(300), (n, right, answered) => {
        const model = judged(n, Math.min(right, n), Math.min(answered, n));
        const { paired } = compareModels(model, model, { margin: 0.01 });
        expect(paired.difference.value).toBe(0);
      }),
    );
  });
});
