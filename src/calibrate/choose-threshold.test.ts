import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { binomialCdf, clopperPearsonUpper } from "../math/binomial.ts";
import { createRng } from "../math/random.ts";
import { acceptedAt } from "./accepted.ts";
import { leastAccepted } from "./certify-selective.ts";
import { chooseThreshold } from "./choose-threshold.ts";
import { spendDelta } from "./spend-delta.ts";
import { scores } from "./testing.ts";
import { thresholdGrid } from "./threshold-grid.ts";

const regret = { kind: "regret", risk: 0.03, delta: 0.1 } as const;
const selective = { kind: "selective", risk: 0.05, delta: 0.1 } as const;

/** Scores in hundredths, so that ties occur; rows of low score err more often. */
const simulated = fc
  .tuple(fc.integer({ min: 200, max: 600 }), fc.double({ min: 0, max: 0.6, noNaN: true }), fc.integer())
  .map(([n, slope, seed]) => {
    const rng = createRng(seed);
    const score = Array.from({ length: n }, () => rng.integer(101) / 100);
    return scores(
      "certify",
      score,
      score.map((value) => Number(rng.next() >= slope * (1 - value))),
    );
  });
const gridOf = ({ score, correct }: { score: ArrayLike<number>; correct: ArrayLike<number> }) =>
  thresholdGrid(scores("calibrate", score, correct));
const even = (n: number) => Array.from({ length: n }, (_, row) => (row + 0.5) / n);

describe("regret", () => {
  test("takes the loosest threshold whose bound, and that of every stricter one, lies below the risk", () => {
    fc.assert(
      fc.property(simulated, (certify) => {
        const n = certify.score.length;
        const verdict = chooseThreshold({ certify, grid: gridOf(certify), target: regret });
        const bound = (threshold: number) =>
          clopperPearsonUpper(acceptedAt(certify, threshold).errors, n, regret.delta);
        // The naive twin: walk down from the strictest threshold while the bound holds.
        const candidates = [...new Set(certify.score)].sort((a, b) => b - a);
        const failing = candidates.findIndex((threshold) => bound(threshold) >= regret.risk);
        const kept = failing < 0 ? candidates : candidates.slice(0, failing);
        if (kept.length === 0) expect(verdict.kind).toBe("none");
        else {
          expect(verdict).toMatchObject({ kind: "certified", ...acceptedAt(certify, kept.at(-1)!) });
        }
      }),
      { numRuns: 60 },
    );
  });

  test("a student that never errs answers everything, at the bound of the rows alone", () => {
    const certify = scores("certify", even(300), new Array(300).fill(1));
    const verdict = chooseThreshold({ certify, grid: gridOf(certify), target: regret });
    expect(verdict).toMatchObject({ kind: "certified", threshold: 0, accepted: 300, errors: 0 });
    if (verdict.kind === "certified") expect(verdict.bound).toBeLessThan(regret.risk);
  });

  test("too few rows: says how many are missing, and spends nothing", () => {
    const few = scores("certify", even(150), new Array(150).fill(1));
    expect(chooseThreshold({ certify: few, grid: gridOf(few), target: regret })).toMatchObject({
      kind: "none",
      moreRowsNeeded: 50,
      tested: false,
    });
    // A risk of 0.5 % needs 460 rows without any error (SCIENCE §2: 230 for 1 %).
    const strict = { ...regret, risk: 0.005 };
    expect(chooseThreshold({ certify: few, grid: gridOf(few), target: strict })).toMatchObject({ moreRowsNeeded: 310 });
  });

  test("a student that is equally sure of everything certifies nothing, and no number of rows would help", () => {
    const certify = scores(
      "certify",
      new Array(400).fill(0.9),
      even(400).map((_, row) => Number(row % 10 !== 0)),
    );
    const verdict = chooseThreshold({ certify, grid: gridOf(certify), target: regret });
    expect(verdict).toMatchObject({ kind: "none", moreRowsNeeded: undefined, tested: true });
  });

  test("rows missing are rows enough: with as many more like these, something is certified", () => {
    // The ten surest of 200 rows tie and hold four errors: 2 % of all rows, but 200 rows bound that only at 3.9 %.
    const [score, correct] = [even(200).map((s) => Math.min(s, 0.95)), even(200).map((_, row) => Number(row < 196))];
    const copied = (copies: number) => {
      const copy = (values: readonly number[]) => values.flatMap((value) => new Array<number>(copies).fill(value));
      const certify = scores("certify", copy(score), copy(correct));
      return chooseThreshold({ certify, grid: gridOf(certify), target: regret });
    };
    const verdict = copied(1);
    if (verdict.kind !== "none" || verdict.moreRowsNeeded === undefined) throw new Error("expected a forecast");
    expect(copied(1 + Math.ceil(verdict.moreRowsNeeded / 200)).kind).toBe("certified");
  });
});

describe("selective", () => {
  test("every grid point from the start to the one chosen passes its exact test", () => {
    fc.assert(
      fc.property(simulated, (certify) => {
        const grid = gridOf(certify);
        const verdict = chooseThreshold({ certify, grid, target: selective });
        const p = (threshold: number) => {
          const { accepted, errors } = acceptedAt(certify, threshold);
          return binomialCdf(errors, accepted, selective.risk);
        };
        const sequence = grid.points.filter(
          (point) => point.coverage * certify.score.length >= leastAccepted(selective),
        );
        const [first] = sequence;
        if (verdict.kind === "none") expect(p(first!.threshold)).toBeGreaterThan(selective.delta);
        else {
          const place = sequence.findIndex((point) => point.threshold === verdict.threshold);
          for (const { threshold } of sequence.slice(0, place + 1)) {
            expect(p(threshold)).toBeLessThanOrEqual(selective.delta);
          }
          expect(verdict.bound).toBe(selective.risk);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("starts where support suffices: 90 accepted rows at r = .05, δ = .1", () => {
    expect(leastAccepted(selective)).toBe(90);
    const few = scores("certify", even(80), new Array(80).fill(1));
    const verdict = chooseThreshold({ certify: few, grid: gridOf(few), target: selective });
    expect(verdict).toMatchObject({ kind: "none", moreRowsNeeded: 10, tested: false });
  });

  test("a student too weak everywhere is told so; one a little short of rows, how many", () => {
    const certify = (rate: number) =>
      scores(
        "certify",
        even(400),
        even(400).map((_, row) => Number(row % Math.round(1 / rate) !== 0)),
      );
    const ask = (rate: number) =>
      chooseThreshold({ certify: certify(rate), grid: gridOf(certify(rate)), target: selective });
    expect(ask(0.1)).toMatchObject({ kind: "none", moreRowsNeeded: undefined });
    const close = ask(0.04);
    expect(close).toMatchObject({ kind: "none", tested: true });
    if (close.kind === "none") expect(close.moreRowsNeeded).toBeGreaterThan(100);
  });

  test("without calibrate rows there is no grid, and it says so", () => {
    const certify = scores("certify", even(400), new Array(400).fill(1));
    const verdict = chooseThreshold({ certify, grid: gridOf(scores("certify", [], [])), target: selective });
    expect(verdict).toMatchObject({ kind: "none", reason: expect.stringContaining("no calibrate row") });
  });
});

test("risk and δ must be shares", () => {
  const certify = scores("certify", [1], [1]);
  const ask = (delta: number) => chooseThreshold({ certify, grid: gridOf(certify), target: regret, delta });
  expect(() => ask(0)).toThrow("delta must lie in (0, 1), got 0");
});

test("δ spent for ever never exceeds δ, and the first attempt costs most", () => {
  const spent = Array.from({ length: 10_000 }, (_, attempt) => spendDelta(0.1, attempt + 1));
  expect(spent.reduce((sum, delta) => sum + delta, 0)).toBeLessThan(0.1);
  expect(spent[0]).toBeCloseTo(0.1 / 3, 12);
  expect(() => spendDelta(0.1, 0)).toThrow("attempt must be 1, 2, …, got 0");
});
