import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { confidentLearning } from "./confident-learning.ts";
import { createRng } from "./random.ts";
import { softmax } from "./softmax.ts";

type Case = {
  readonly k: number;
  readonly labels: number[];
  readonly probabilities: number[];
  readonly thresholds: number[];
  readonly counts: number[];
  readonly joint: number[];
  readonly margin: number[];
  readonly suspects: number[];
};

describe("confident learning", () => {
  test("agrees with the formulae in NumPy", () => {
    const golden = readGolden<Case>("math-confident-learning");
    const { k, labels, probabilities, ...wanted } = golden.cases;
    const found = confidentLearning(Int32Array.from(labels), probabilities, k);
    expectClose(found.thresholds, wanted.thresholds, golden);
    expectClose(found.confidentCounts, wanted.counts, golden);
    expectClose(found.joint, wanted.joint, golden);
    expectClose(found.margin, wanted.margin, golden);
    expect([...found.suspects].sort((a, b) => a - b)).toEqual(wanted.suspects);
  });

  test("estimates the noise that was put in and finds most of it", () => {
    const rng = createRng("noise");
    const [n, k] = [3000, 4];
    const truth = Int32Array.from({ length: n }, () => rng.integer(k));
    const labels = truth.map((right) => (rng.next() < 0.1 ? (right + 1 + rng.integer(k - 1)) % k : right));
    const logits = Float64Array.from({ length: n * k }, (_, index) => {
      return rng.normal() + (truth[Math.floor(index / k)] === index % k ? 4 : 0);
    });
    const { noiseRate, suspects } = confidentLearning(labels, softmax(logits, k), k);
    const wrong = labels.filter((label, row) => label !== truth[row]).length;
    const caught = suspects.filter((row) => labels[row] !== truth[row]).length;
    expect(Math.abs(noiseRate - wrong / n)).toBeLessThan(0.03);
    expect(caught / wrong).toBeGreaterThan(0.8);
  });

  test("worst comes first, and a clean set has no suspects", () => {
    const p = [0.9, 0.1, 0.8, 0.2, 0.1, 0.9, 0.95, 0.05];
    expect([...confidentLearning(Int32Array.of(0, 0, 1, 0), p, 2).suspects]).toEqual([]);
    const { margin, suspects } = confidentLearning(Int32Array.of(0, 0, 1, 1, 1), [...p, 0.2, 0.8], 2);
    expect(margin[3]).toBeCloseTo(-0.9, 12);
    expect(suspects[0]).toBe(3);
  });

  test("a class without labels is never confident", () => {
    const { thresholds, joint } = confidentLearning(Int32Array.of(0, 0), [0.4, 0.6, 0.9, 0.1], 2);
    expect(thresholds[1]).toBe(Infinity);
    expect([...joint]).toEqual([1, 0, 0, 0]);
  });
});
