import fc from "fast-check";
import { expect, test } from "vitest";
import { bestScore, committeeScore, deferralScore } from "./deferral.ts";

const share = fc.double({ min: 0, max: 1, noNaN: true });
const novelty = fc.option(fc.double({ min: 0 }), { nil: undefined });

test("without a limit the score is the confidence, however novel the input", () => {
  fc.assert(
    fc.property(share, novelty, (confidence, novelty) => {
      expect(deferralScore({ confidence, novelty }, {})).toBe(confidence);
    }),
  );
});

test("under a limit, what lies beyond it, and what is not known to lie within, is below every threshold", () => {
  fc.assert(
    fc.property(share, novelty, share, (confidence, novelty, limit) => {
      const isWithin = novelty !== undefined && novelty <= limit;
      const score = deferralScore({ confidence, novelty }, { novelty: { limit, share: 0.02 } });
      if (isWithin) expect(score).toBe(confidence);
      else expect(score).toBeLessThan(0);
    }),
  );
});

/** Not within rounding of 0 or 1, where a whole member weighs as much. */
const inner = fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true });
const folds = (size: number) => ({ committee: { kind: "folds", size } as const });

test("under a committee fewer dissenters come first, whatever the confidence; among as many, the surer", () => {
  const heard = fc.record({ confidence: inner, dissent: fc.nat(5) });
  fc.assert(
    fc.property(heard, heard, (one, other) => {
      const difference = deferralScore(one, folds(5)) - deferralScore(other, folds(5));
      if (one.dissent !== other.dissent) expect(Math.sign(difference)).toBe(Math.sign(other.dissent - one.dissent));
      else expect(Math.abs(difference - (one.confidence - other.confidence) / 6)).toBeLessThan(1e-15);
    }),
  );
});

test("a committee's score is a share, and that of members who agree the confidence in another scale", () => {
  fc.assert(
    fc.property(share, fc.nat(5), (confidence, dissent) => {
      const score = deferralScore({ confidence, dissent }, folds(5));
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(bestScore(confidence, folds(5).committee));
      expect(committeeScore(confidence, { dissent: 0, size: 0 })).toBe(confidence);
      expect(bestScore(confidence, undefined)).toBe(confidence);
    }),
  );
});

test("under a committee nothing is answered unheard, nor what is unfamiliar", () => {
  expect(deferralScore({ confidence: 1 }, folds(5))).toBeLessThan(0);
  const limited = { ...folds(5), novelty: { limit: 0.5, share: 0.02 } };
  expect(deferralScore({ confidence: 1, dissent: 0, novelty: 0.6 }, limited)).toBeLessThan(0);
  expect(deferralScore({ confidence: 0.4, dissent: 1, novelty: 0.5 }, limited)).toBeCloseTo(4.4 / 6, 12);
});

test("a class that is never answered is below every threshold, and so is one that nobody named", () => {
  const rule = { never: ["threat"] };
  expect(deferralScore({ value: "fine", confidence: 0.9 }, rule)).toBe(0.9);
  expect(deferralScore({ value: "threat", confidence: 1 }, rule)).toBeLessThan(0);
  expect(deferralScore({ confidence: 1 }, rule)).toBeLessThan(0);
});
