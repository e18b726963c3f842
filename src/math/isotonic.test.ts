import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { fitIsotonic, readIsotonic } from "./isotonic.ts";

type Case = {
  readonly x: number[];
  readonly y: number[];
  readonly weights: number[];
  readonly at: number[];
  readonly fit: number[];
};

const points = fc.array(
  fc.record({
    x: fc.integer({ min: 0, max: 20 }),
    y: fc.double({ min: 0, max: 1, noNaN: true }),
    weight: fc.integer({ min: 1, max: 5 }),
  }),
  { minLength: 1, maxLength: 40 },
);

describe("isotonic regression", () => {
  test("agrees with scikit-learn, ties and weights included", () => {
    const golden = readGolden<Case[]>("math-isotonic");
    for (const { x, y, weights, at, fit } of golden.cases) {
      const model = fitIsotonic({ x, y, weights });
      expectClose(
        at.map((value) => readIsotonic(model, value)),
        fit,
        golden,
      );
    }
  });

  test("never falls, keeps the weighted mean, and fitting the fit changes nothing", () => {
    fc.assert(
      fc.property(points, (drawn) => {
        const [x, y, weights] = [drawn.map((p) => p.x), drawn.map((p) => p.y), drawn.map((p) => p.weight)];
        const model = fitIsotonic({ x, y, weights });
        expect([...model.y].sort((a, b) => a - b)).toEqual(model.y);
        const fitted = x.map((value) => readIsotonic(model, value));
        const weighted = (values: number[]) => values.reduce((sum, value, index) => sum + value * weights[index]!, 0);
        expect(weighted(fitted)).toBeCloseTo(weighted(y), 8);
        const again = fitIsotonic({ x, y: fitted, weights });
        expectClose(
          x.map((value) => readIsotonic(again, value)),
          fitted,
          { rtol: 1e-9, atol: 1e-9 },
        );
      }),
    );
  });

  test("is constant beyond its ends and linear between knots", () => {
    const model = fitIsotonic({ x: [1, 3], y: [0, 1] });
    expect([0, 1, 2, 3, 9].map((at) => readIsotonic(model, at))).toEqual([0, 0, 0.5, 1, 1]);
  });

  test("refuses nothing and weightless points", () => {
    expect(() => fitIsotonic({ x: [], y: [] })).toThrow("at least one point");
    expect(() => fitIsotonic({ x: [1], y: [1], weights: [0] })).toThrow("weights[0] must be positive");
  });
});
