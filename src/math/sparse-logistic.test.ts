import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { createRng } from "./random.ts";
import { softmax } from "./softmax.ts";
import type { SparseMatrix } from "./sparse.ts";
import { fitSparseLogistic, prepare, sparseLogisticLoss, sparseLogits } from "./sparse-logistic.ts";

type Fit = {
  readonly k: number;
  readonly c: number;
  readonly classes: number[];
  readonly soft: number[];
  readonly coefficients: number[];
  readonly intercepts: number[];
  readonly probabilities: number[];
  readonly soft_probabilities: number[];
};
type Cases = {
  readonly rows: number;
  readonly columns: number;
  readonly starts: number[];
  readonly indices: number[];
  readonly values: number[];
  readonly weights: number[];
  readonly fits: Fit[];
};

const golden = readGolden<Cases>("text-logistic");
const { rows, columns, starts, indices, values, weights, fits } = golden.cases;
const features: SparseMatrix = {
  rows,
  columns,
  starts: Int32Array.from(starts),
  indices: Int32Array.from(indices),
  values: Float32Array.from(values),
};
const tight = { tolerance: 1e-9 };

describe.each(fits)("logistic regression of $k classes at C $c", ({ k, c, ...expected }) => {
  test("has scikit-learn's coefficients and probabilities", () => {
    const fit = fitSparseLogistic(
      { features, k, targets: Int32Array.from(expected.classes), weights },
      { c, ...tight },
    );
    expectClose(softmax(sparseLogits(fit, features), k), expected.probabilities, golden);
    if (k === 2) {
      const both = fit.weights.filter((_, index) => index % 2 === 1);
      expectClose(
        both,
        expected.coefficients.map((value) => value / 2),
        { rtol: 1e-4, atol: 1e-5 },
      );
    } else {
      const byClass = Array.from(
        { length: k * columns },
        (_, at) => fit.weights[(at % columns) * k + Math.floor(at / columns)]!,
      );
      expectClose(byClass, expected.coefficients, { rtol: 1e-4, atol: 1e-5 });
    }
  });

  test("takes soft targets as scikit-learn takes a row for each class", () => {
    const targets = Float64Array.from(expected.soft);
    const fit = fitSparseLogistic({ features, k, targets, weights }, { c, ...tight });
    expectClose(softmax(sparseLogits(fit, features), k), expected.soft_probabilities, golden);
  });
});

test("a row of weight zero is as if it were not there", () => {
  const { k, classes } = fits[2]!;
  const targets = Int32Array.from(classes);
  const without = fitSparseLogistic(
    { features, k, targets, weights: weights.map((w, row) => (row < 30 ? w : 0)) },
    tight,
  );
  const upset = targets.map((value, row) => (row < 30 ? value : (value + 1) % k));
  const same = fitSparseLogistic(
    { features, k, targets: upset, weights: weights.map((w, row) => (row < 30 ? w : 0)) },
    tight,
  );
  expect([...same.weights]).toEqual([...without.weights]);
});

test("the gradient is that of finite differences, for hard and soft targets of any number of classes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 6 }), fc.boolean(), fc.integer(), (k, isSoft, seed) => {
      const rng = createRng(seed);
      const targets = isSoft
        ? softmax(
            Float64Array.from({ length: rows * k }, () => rng.normal()),
            k,
          )
        : Int32Array.from({ length: rows }, () => rng.integer(k));
      const problem = prepare({ features, k, targets, weights }, 2);
      const at = Float64Array.from({ length: problem.width * (columns + 1) }, () => rng.normal());
      const gradient = new Float64Array(at.length);
      sparseLogisticLoss(problem, at, gradient);
      const index = rng.integer(at.length);
      const lossAt = (shift: number): number => {
        const moved = at.slice();
        moved[index]! += shift;
        return sparseLogisticLoss(problem, moved, new Float64Array(at.length));
      };
      expect(Math.abs((lossAt(1e-5) - lossAt(-1e-5)) / 2e-5 - gradient[index]!)).toBeLessThan(1e-8);
    }),
    { numRuns: 60 },
  );
});

test("what does not fit together is refused with the place", () => {
  const targets = new Int32Array(rows);
  expect(() => fitSparseLogistic({ features, k: 1, targets })).toThrow("k must be an integer of at least 2");
  expect(() => fitSparseLogistic({ features, k: 2, targets: new Int32Array(3) })).toThrow("targets must have 60");
  expect(() => fitSparseLogistic({ features, k: 2, targets, weights: new Float64Array(rows) })).toThrow("not all 0");
  expect(() => fitSparseLogistic({ features, k: 2, targets }, { c: 0 })).toThrow("c must be positive");
  const poisoned = { ...features, values: features.values.with(5, Number.NaN) };
  expect(() => fitSparseLogistic({ features: poisoned, k: 2, targets })).toThrow("values[5] is NaN");
  const outside = { ...features, indices: features.indices.with(5, columns) };
  expect(() => fitSparseLogistic({ features: outside, k: 2, targets })).toThrow(`column ${columns} lies outside`);
});
