import fc from "fast-check";
import { expect, test } from "vitest";
import { planEpoch } from "./plan-epoch.ts";

test("every row comes once an epoch, in batches whose sizes differ by one at most", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 64 }), (rows, batchSize) => {
      const plans = planEpoch({ rows, batchSize, epoch: 3, seed: 1 });
      const indices = plans.flat().map(({ index }) => index);
      expect(indices.toSorted((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, index) => index));
      const sizes = plans.map((plan) => plan.length);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(batchSize);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

test("epochs differ, and follow from the seed alone", () => {
  const plan = (epoch: number, seed: number) => planEpoch({ rows: 40, batchSize: 8, epoch, seed });
  expect(plan(0, 1)).toEqual(plan(0, 1));
  expect(plan(0, 1)).not.toEqual(plan(1, 1));
  expect(plan(0, 1)).not.toEqual(plan(0, 2));
});
