import fc from "fast-check";
import { expect, test } from "vitest";
import { goldenSection } from "./golden-section.ts";

test("finds the bottom of any parabola, also at the end of the range", () => {
  fc.assert(
    fc.property(fc.double({ min: -20, max: 20, noNaN: true }), (bottom) => {
      const { x } = goldenSection((at) => (at - bottom) ** 2, { low: -10, high: 10 });
      expect(Math.abs(x - Math.min(10, Math.max(-10, bottom)))).toBeLessThan(1e-5);
    }),
  );
});

test("refuses an empty range", () => {
  expect(() => goldenSection(Math.abs, { low: 1, high: 1 })).toThrow("needs low < high, got [1, 1]");
});
