import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../math/random.ts";
import type { Target } from "../records.ts";
import { scores } from "./testing.ts";
import { tryCommittee } from "./try-committee.ts";

const target: Target = { kind: "regret", risk: 0.05, delta: 0.1 };
const offered = { kind: "folds", committee: { kind: "folds", size: 5 } } as const;

/** Confidence that says little; five members of whom more dissent the more often it is wrong, by `knowing`. */
function madeUp(n: number, knowing: number, seed: string) {
  const rng = createRng(seed);
  const rows = Array.from({ length: n }, () => {
    const isWrong = rng.next() < 0.15;
    const confidence = 0.5 + 0.5 * (isWrong ? rng.next() : Math.sqrt(rng.next()));
    const dissent = Array.from({ length: 5 }, () => Number(rng.next() < (isWrong ? knowing : 0.05))).reduce(
      (a, b) => a + b,
    );
    return { confidence, isWrong, dissent };
  });
  return {
    scores: scores(
      "calibrate",
      rows.map(({ confidence }) => confidence),
      rows.map(({ isWrong }) => Number(!isWrong)),
    ),
    dissent: rows.map(({ dissent }) => dissent),
  };
}

describe("a committee", () => {
  test("that knows where the student errs is kept, with the numbers", () => {
    const trial = tryCommittee({ offered, target, ...madeUp(1000, 0.7, "knowing") });
    expect(trial).toMatchObject({ kind: "folds", size: 5, kept: true });
    const { onlyCommitteeWrong, onlyConfidenceWrong, p, accepted, n } = trial.comparison!;
    expect(onlyCommitteeWrong).toBeLessThan(onlyConfidenceWrong);
    expect(p).toBeLessThan(0.05);
    expect(accepted).toBeLessThan(n);
    expect(trial.why).toContain("the committee is kept");
  });

  test("that knows nothing is not, and the sentence says so", () => {
    const trial = tryCommittee({ offered, target, ...madeUp(1000, 0.05, "blind") });
    expect(trial.kept).toBe(false);
    expect(trial.why).toContain("not shown to be better, the confidence decides");
  });

  test("of members that say what the student says changes nothing, so it is never kept", () => {
    const row = fc.record({ confidence: fc.double({ min: 0.01, max: 1, noNaN: true }), right: fc.boolean() });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 80 }), (rows) => {
        const given = scores(
          "calibrate",
          rows.map(({ confidence }) => confidence),
          rows.map(({ right }) => Number(right)),
        );
        const trial = tryCommittee({ offered, target, scores: given, dissent: rows.map(() => 0) });
        expect(trial.kept).toBe(false);
        if (trial.comparison)
          expect(trial.comparison).toMatchObject({ onlyConfidenceWrong: 0, onlyCommitteeWrong: 0, p: 1 });
      }),
    );
  });

  test("of nobody is not kept, and its absence is explained", () => {
    const none = { ...madeUp(100, 0.5, "nobody"), target };
    expect(tryCommittee({ offered: { kind: "folds" }, ...none })).toMatchObject({ size: 0, kept: false });
    expect(tryCommittee({ offered: { kind: "predecessors" }, ...none }).why).toContain("no champion before it");
  });

  test("is not compared where the confidence answers nothing at the target", () => {
    const given = scores("calibrate", [0.9, 0.8, 0.7], [0, 0, 1]);
    const trial = tryCommittee({ offered, target, scores: given, dissent: [5, 5, 0] });
    expect(trial).toMatchObject({ kept: false });
    expect(trial.comparison).toBeUndefined();
  });

  test("is kept in no more than one in forty cases where it is no better than the confidence", () => {
    const rng = createRng("neither");
    const runs = 400;
    let kept = 0;
    for (let run = 0; run < runs; run++) {
      const rows = Array.from({ length: 800 }, () => {
        const ease = rng.normal();
        const right = Number(rng.next() < 1 / (1 + Math.exp(-(2.6 + 1.8 * ease))));
        return { right, own: ease + 0.5 * rng.normal(), other: ease + 0.5 * rng.normal() };
      });
      const confidence = rows.map(({ own }) => 1 / (1 + Math.exp(-own)));
      // A committee of one whose score ranks as `other` does.
      const dissent = rows.map(({ other }, row) => 1 + confidence[row]! - 2 / (1 + Math.exp(-other)));
      const single = { kind: "folds", committee: { kind: "folds", size: 1 } } as const;
      const given = scores(
        "calibrate",
        confidence,
        rows.map(({ right }) => right),
      );
      kept += Number(tryCommittee({ offered: single, target, scores: given, dissent }).kept);
    }
    // One side of a test at 5 %, and three standard errors.
    expect(kept / runs).toBeLessThan(0.025 + 3 * Math.sqrt((0.025 * 0.975) / runs));
  });
});
