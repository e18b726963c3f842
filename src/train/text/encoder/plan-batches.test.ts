import fc from "fast-check";
import { expect, test } from "vitest";
import { paddedLengths, planEpoch } from "./plan-batches.ts";

const someLengths = fc.array(fc.integer({ min: 2, max: 300 }), { minLength: 1, maxLength: 400 });

test("padded lengths rise, are few, and the last covers every text", () => {
  fc.assert(
    fc.property(someLengths, (lengths) => {
      const padded = paddedLengths(lengths);
      expect(padded.length).toBeLessThanOrEqual(4);
      expect(padded).toEqual([...new Set(padded)].toSorted((a, b) => a - b));
      expect(padded.every((length) => length % 8 === 0)).toBe(true);
      const longest = Math.max(...lengths);
      expect(padded.at(-1)! - longest).toBeLessThan(8);
      expect(padded.at(-1)!).toBeGreaterThanOrEqual(longest);
    }),
  );
  expect(paddedLengths([3, 4, 5, 6, 7, 8, 9, 10, 20, 90])).toEqual([8, 16, 96]);
});

test("an epoch has every row once, in batches of nearly one size that fit their length", () => {
  fc.assert(
    fc.property(someLengths, fc.integer({ min: 1, max: 40 }), fc.nat(3), (lengths, batchSize, epoch) => {
      const padded = paddedLengths(lengths);
      const plans = planEpoch({ lengths, padded, batchSize, epoch, seed: 1 });
      const rows = plans.flatMap(({ indices }) => indices);
      expect(rows.toSorted((a, b) => a - b)).toEqual([...lengths.keys()]);
      expect(plans).toHaveLength(Math.ceil(lengths.length / batchSize));
      const sizes = plans.map(({ indices }) => indices.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(batchSize);
      for (const { indices, length } of plans) {
        expect(padded).toContain(length);
        for (const index of indices) expect(lengths[index]).toBeLessThanOrEqual(length);
      }
    }),
  );
});

test("texts of like length go together, in an order that every epoch draws anew", () => {
  const lengths = Array.from({ length: 640 }, (_, index) => (index % 10 === 0 ? 60 : 10));
  const padded = paddedLengths(lengths);
  const plan = (epoch: number) => planEpoch({ lengths, padded, batchSize: 32, epoch, seed: 1 });
  const tokens = plan(0).reduce((sum, { indices, length }) => sum + indices.length * length, 0);
  const needed = lengths.reduce((sum, length) => sum + length, 0);
  expect(tokens / needed).toBeLessThan(1.6); // 64/15 = 4.3 where all are filled up to one length
  expect(plan(0)).toEqual(plan(0));
  expect(plan(1)).not.toEqual(plan(0));
});
