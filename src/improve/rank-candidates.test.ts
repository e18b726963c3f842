import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../math/random.ts";
import { rankCandidates, type Said } from "./rank-candidates.ts";

const target = { kind: "regret", risk: 0.05, delta: 0.1 } as const;

/** Right with probability `accuracy`; surer where it is right, the more so the larger `skill`. */
function candidate(n: number, { accuracy, skill }: { accuracy: number; skill: number }, seed: string): Said {
  const rng = createRng(seed);
  const correct = Uint8Array.from({ length: n }, () => Number(rng.next() < accuracy));
  return { correct, score: Float64Array.from(correct, (right) => right * skill + rng.next()) };
}

test("a clearly better student is chosen, though it costs more", () => {
  const cheap = candidate(1000, { accuracy: 0.7, skill: 0.2 }, "cheap");
  const dear = candidate(1000, { accuracy: 0.95, skill: 1 }, "dear");
  const ranked = rankCandidates([cheap, dear], target, createRng(1));
  expect(ranked.map(({ chosen }) => chosen)).toEqual([false, true]);
  expect(ranked[1]!.coverage.value).toBeGreaterThan(ranked[0]!.coverage.value);
  expect(ranked[0]!.p).toBeLessThan(0.05);
});

test("within noise the cheapest is", () => {
  const cheap = candidate(400, { accuracy: 0.9, skill: 0.5 }, "a");
  // Right on one more row, and surer of it.
  const wrong = cheap.correct.indexOf(0);
  const dear = { correct: cheap.correct.with(wrong, 1), score: cheap.score.with(wrong, 2) };
  const [first, second] = rankCandidates([cheap, dear], target, createRng(1));
  expect(second!.coverage.value).toBeGreaterThan(first!.coverage.value);
  expect([first!.chosen, second!.chosen]).toEqual([true, false]);
});

test("exactly one is chosen, whatever the candidates", () => {
  const said = fc.record({
    accuracy: fc.double({ min: 0, max: 1, noNaN: true }),
    skill: fc.double({ min: 0, max: 2, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(said, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 60 }), (all, n) => {
      const ranked = rankCandidates(
        all.map((one, index) => candidate(n, one, `${index}`)),
        target,
        createRng(1),
      );
      expect(ranked.filter(({ chosen }) => chosen)).toHaveLength(1);
      for (const { p } of ranked) expect(p).toBeLessThanOrEqual(1);
    }),
  );
});

test("a student that is wrong where it is surest answers nothing", () => {
  const correct = Uint8Array.of(0, 0, 1, 1);
  const [only] = rankCandidates([{ correct, score: Float64Array.of(4, 3, 2, 1) }], target, createRng(1));
  expect(only).toMatchObject({ coverage: { value: 0, n: 4 }, chosen: true, p: 1 });
});
