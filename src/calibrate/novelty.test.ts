import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deferralScore } from "../deferral.ts";
import { noveltyLimit } from "./novelty.ts";
import { scores } from "./testing.ts";

const target = { kind: "regret", risk: 0.05, delta: 0.1 } as const;
const unit = fc.double({ min: 0, max: 1, noNaN: true });
/** Right, so that all of them would be answered. */
const row = fc.record({ confidence: unit, novelty: unit, right: fc.constant(true) });
const rows = fc.array(row, { minLength: 1, maxLength: 120 });

const limitOf = (given: readonly { confidence: number; novelty: number; right: boolean }[], share: number) =>
  noveltyLimit({
    scores: scores(
      "calibrate",
      given.map(({ confidence }) => confidence),
      given.map(({ right }) => Number(right)),
    ),
    novelty: given.map(({ novelty }) => novelty),
    target,
    share,
  });

describe("the limit of novelty", () => {
  test("takes no more than the share from the rows that the student would answer", () => {
    fc.assert(
      fc.property(rows, fc.double({ min: 0.02, max: 0.5, noNaN: true }), (given, share) => {
        const limit = limitOf(given, share);
        const rule = { ...(limit && { novelty: limit }) };
        const lost = given.filter((said) => deferralScore(said, rule) < 0).length;
        expect(lost).toBeLessThanOrEqual(share * (given.length + 1));
      }),
    );
  });

  test("falls among the rows that would be answered, not among those that are escalated anyway", () => {
    const sure = Array.from({ length: 100 }, (_, index) => ({ confidence: 0.9, novelty: index / 1000, right: true }));
    const unsure = Array.from({ length: 100 }, (_, index) => ({
      confidence: 0.3,
      novelty: 0.5 + index / 1000,
      right: index % 2 === 0,
    }));
    expect(limitOf([...sure, ...unsure], 0.02)!.limit).toBeCloseTo(0.095, 9); // 4 of 200 lie beyond
  });

  test("there is none where the share is 0, or not one row may be lost", () => {
    const given = Array.from({ length: 48 }, () => ({ confidence: 0.9, novelty: 0.1, right: true }));
    expect(limitOf(given, 0)).toBeUndefined();
    expect(limitOf(given, 0.02)).toBeUndefined();
    expect(limitOf([...given, given[0]!], 0.02)).toEqual({ limit: 0.1, share: 0.02 });
  });
});
