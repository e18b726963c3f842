import fc from "fast-check";
import { expect, test } from "vitest";
import { lbfgs } from "./lbfgs.ts";

/** ½ Σ scale·(x − centre)², whose minimum is known. */
const bowl = (scales: readonly number[], centre: number) => (x: Float64Array, gradient: Float64Array) =>
  scales.reduce((value, scale, index) => {
    gradient[index] = scale * (x[index]! - centre);
    return value + 0.5 * scale * (x[index]! - centre) ** 2;
  }, 0);

test("finds the bottom of any bowl, stretched a thousandfold", () => {
  const scales = fc.array(fc.double({ min: 0.1, max: 100, noNaN: true }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(scales, fc.double({ min: -10, max: 10, noNaN: true }), (scales, centre) => {
      const start = new Float64Array(scales.length);
      const { x, converged } = lbfgs(bowl(scales, centre), start, { tolerance: 1e-7 });
      expect(converged).toBe(true);
      for (const value of x) expect(Math.abs(value - centre)).toBeLessThan(1e-5);
      expect([...start].every((value) => value === 0)).toBe(true);
    }),
  );
});

test("stops at once at the bottom, and says so when it runs out of steps", () => {
  expect(lbfgs(bowl([1, 5], 2), Float64Array.of(2, 2))).toMatchObject({ iterations: 0, converged: true });
  expect(lbfgs(bowl([1, 50], 2), Float64Array.of(9, 9), { maxIterations: 1 })).toMatchObject({ converged: false });
});

test("gives up, unconverged, where rounding leaves nowhere to go", () => {
  // The constant swallows every decrease: the gradient says down, the value never falls.
  const flat = (_: Float64Array, gradient: Float64Array) => {
    gradient[0] = 1e-3;
    return 1e20;
  };
  expect(lbfgs(flat, Float64Array.of(0))).toMatchObject({ iterations: 0, converged: false });
});
