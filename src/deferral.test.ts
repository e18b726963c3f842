import fc from "fast-check";
import { expect, test } from "vitest";
import { deferralScore } from "./deferral.ts";

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
