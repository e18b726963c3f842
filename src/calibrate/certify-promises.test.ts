/**
 * @file The promises of a rare class, by simulation. One row in twenty is rare and has a uniform score s; it is answered with
 * another class with probability 0.6 (1 − s). So of the rare rows 0.3 (1 − t)² are missed at threshold t, in closed form.
 */

import { describe, expect, test } from "vitest";
import { createRng, type Rng } from "../math/random.ts";
import type { Target } from "../records.ts";
import { certifyPromises } from "./certify-promises.ts";
import { scores } from "./testing.ts";
import { thresholdGrid } from "./threshold-grid.ts";

const plain = { kind: "regret", risk: 0.05, delta: 0.1 } as const;
const trueRecall = (threshold: number): number => 1 - 0.3 * (1 - threshold) ** 2;

function draw(n: number, rng: Rng) {
  const references = Array.from({ length: n }, () => (rng.next() < 0.05 ? "threat" : "fine"));
  const score = references.map(() => rng.next());
  const correct = references.map((value, row) => Number(value === "fine" || rng.next() >= 0.6 * (1 - score[row]!)));
  return { references, certify: scores("certify", score, correct) };
}

const grid = thresholdGrid(
  scores(
    "calibrate",
    Array.from({ length: 200 }, (_, row) => row / 200),
    new Array(200).fill(1),
  ),
);
const ask = (target: Target, n: number, rng: Rng) => certifyPromises({ ...draw(n, rng), grid, target });

describe("a target with a recall", () => {
  test.each(["regret", "selective"] as const)(
    "of kind %s keeps it with probability 1 − δ, and is worth having",
    (kind) => {
      const target: Target = { ...plain, kind, recall: { threat: 0.9 } };
      const runs = 400;
      const rng = createRng(kind);
      const verdicts = Array.from({ length: runs }, () => ask(target, 4_000, rng));
      const thresholds = verdicts.flatMap((one) => (one.kind === "certified" ? one.threshold : []));
      const broken = thresholds.filter((threshold) => trueRecall(threshold) < 0.9).length / runs;
      // Half of δ is the class's; three standard errors of a rate over so many runs.
      expect(broken).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / runs));
      expect(thresholds.length).toBeGreaterThan(0.95 * runs);
      expect(thresholds.reduce((sum, threshold) => sum + 1 - threshold, 0) / thresholds.length).toBeGreaterThan(0.4);
    },
  );

  test("says for the class what it promises; without one, the risk alone lets three of ten be missed", () => {
    const without = ask(plain, 4_000, createRng("one"));
    expect(without).toMatchObject({ kind: "certified", threshold: 0 });
    expect(trueRecall(0)).toBeCloseTo(0.7);
    const verdict = ask({ ...plain, recall: { threat: 0.9 } }, 4_000, createRng("one"));
    expect(verdict).toMatchObject({ kind: "certified", recall: [{ value: "threat", recall: 0.9, delta: 0.05 }] });
    if (verdict.kind === "certified") expect(verdict.recall![0]!.bound).toBeGreaterThanOrEqual(0.9);
  });

  test("asks for more rows of the class where there are too few: 29 would do for 90% at half of δ = 0.1", () => {
    const verdict = ask({ ...plain, recall: { threat: 0.9 } }, 200, createRng("few"));
    expect(verdict).toMatchObject({
      kind: "none",
      tested: false,
      reason: expect.stringMatching(/certify rows are "threat".*needs 29/),
    });
  });

  test("of a student that always says the other class answers only above every row that it would miss", () => {
    const references = Array.from({ length: 1_000 }, (_, row) => (row % 10 === 0 ? "threat" : "fine"));
    const certify = scores(
      "certify",
      references.map((_, row) => row / 1_000),
      references.map((one) => Number(one === "fine")),
    );
    const verdict = certifyPromises({
      references,
      certify,
      grid,
      target: { ...plain, risk: 0.2, recall: { threat: 0.95 } },
    });
    expect(verdict).toMatchObject({ kind: "certified", recall: [{ n: 100 }] });
    if (verdict.kind !== "certified") return;
    expect(verdict.threshold).toBeGreaterThan(0.9);
    expect(verdict.recall![0]!.missed).toBeLessThanOrEqual(2);
  });
});
