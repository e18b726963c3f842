import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { fitLogistic, logisticLogits } from "./logistic.ts";
import { createRng } from "./random.ts";
import { softmax } from "./softmax.ts";

type Case = {
  readonly d: number;
  readonly k: number;
  readonly l2: number;
  readonly features: number[];
  readonly classes: number[];
  readonly weights: number[];
  readonly soft: number[];
  readonly hard_coefficients: number[];
  readonly hard_probabilities: number[];
  readonly soft_probabilities: number[];
};

describe("logistic regression", () => {
  const golden = readGolden<Case>("math-logistic");
  const { d, k, l2, ...data } = golden.cases;
  const features = Float64Array.from(data.features);
  const options = { l2, tolerance: 1e-8 };

  test("hard targets with weights agree with scikit-learn", () => {
    const fit = fitLogistic({ features, d, k, targets: Int32Array.from(data.classes), weights: data.weights }, options);
    expect(fit.converged).toBe(true);
    expectClose(fit.weights, data.hard_coefficients, golden);
    expectClose(softmax(logisticLogits(fit, features), k), data.hard_probabilities, golden);
  });

  test("soft targets agree with scikit-learn on rows repeated by class", () => {
    const fit = fitLogistic({ features, d, k, targets: Float64Array.from(data.soft) }, options);
    expectClose(softmax(logisticLogits(fit, features), k), data.soft_probabilities, golden);
  });

  test("a weight of two is the same as a row given twice", () => {
    const targets = Int32Array.from(data.classes);
    const doubled = fitLogistic(
      { features, d, k, targets, weights: targets.map((_, row) => (row === 0 ? 2 : 1)) },
      options,
    );
    const repeated = fitLogistic(
      {
        features: Float64Array.from([...features.subarray(0, d), ...features]),
        d,
        k,
        targets: Int32Array.from([targets[0]!, ...targets]),
      },
      options,
    );
    expectClose(doubled.weights, repeated.weights, { rtol: 1e-4, atol: 1e-5 });
  });

  test("separable classes stay finite under the penalty", () => {
    const separable = { features: Float32Array.of(-1, -2, 1, 2), d: 1, k: 2, targets: Int32Array.of(0, 0, 1, 1) };
    const fit = fitLogistic(separable, { l2: 1e-3 });
    expect(fit.converged).toBe(true);
    expect(fit.weights.every(Number.isFinite)).toBe(true);
    expect(fit.weights[1]).toBeGreaterThan(0);
  });

  test("every tail of the unrolled loops gives what the plain sums give", () => {
    const rng = createRng("tails");
    for (const [n, d, k] of [
      [5, 3, 2],
      [7, 4, 5],
      [8, 1, 9],
    ] as const) {
      const features = Float32Array.from({ length: n * d }, () => rng.normal());
      const model = {
        weights: Float64Array.from({ length: k * d }, () => rng.normal()),
        bias: Float64Array.from({ length: k }, () => rng.normal()),
        d,
        k,
      };
      const plain = Array.from({ length: n * k }, (_, index) => {
        const [row, c] = [Math.floor(index / k), index % k];
        let sum = model.bias[c]!;
        for (let j = 0; j < d; j++) sum += features[row * d + j]! * model.weights[c * d + j]!;
        return sum;
      });
      expectClose(logisticLogits(model, features), plain, { rtol: 1e-12, atol: 1e-12 });
    }
  });

  test("refuses shapes that do not match", () => {
    const targets = Int32Array.of(0, 1);
    expect(() => fitLogistic({ features: Float64Array.of(1, 2, 3), d: 2, k: 2, targets })).toThrow(
      "do not fill rows of 2",
    );
    expect(() => fitLogistic({ features: Float64Array.of(1), d: 1, k: 2, targets })).toThrow("must have 1 elements");
    const nothing = { features: Float64Array.of(1, 2), d: 1, k: 2, targets, weights: [0, 0] };
    expect(() => fitLogistic(nothing)).toThrow("weights must be ≥ 0, not all 0");
  });
});
