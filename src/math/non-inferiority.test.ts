import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { nonInferiority, pairedCounts } from "./non-inferiority.ts";
import { createRng } from "./random.ts";

const counts = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 500 }))
  .map(([onlyChallenger, onlyChampion, same]) => ({
    onlyChallenger,
    onlyChampion,
    n: onlyChallenger + onlyChampion + same,
  }));

describe("non-inferiority", () => {
  test("Tango's bounds agree with a numerical restricted likelihood", () => {
    const golden =
      readGolden<{ b: number; c: number; n: number; confidence: number; low: number; high: number }[]>(
        "math-non-inferiority",
      );
    for (const { b, c, n, confidence, low, high } of golden.cases) {
      const { difference } = nonInferiority({ onlyChallenger: b, onlyChampion: c, n }, { confidence });
      expectClose([difference.low, difference.high], [low, high], golden);
    }
  });

  test("swapping the two mirrors the interval", () => {
    fc.assert(
      fc.property(counts, (pair) => {
        const { difference } = nonInferiority(pair);
        const swapped = { onlyChallenger: pair.onlyChampion, onlyChampion: pair.onlyChallenger, n: pair.n };
        const mirrored = nonInferiority(swapped).difference;
        expect(mirrored.low).toBeCloseTo(-difference.high, 9);
        expect(difference.low).toBeLessThanOrEqual(difference.value);
      }),
    );
  });

  test("twins are non-inferior once n can show it, and not before", () => {
    // No discordant row among n: Tango's bound is −z²/(n + z²), 1 point from n = 268.
    expect(nonInferiority({ onlyChallenger: 0, onlyChampion: 0, n: 260 }).isNonInferior).toBe(false);
    expect(nonInferiority({ onlyChallenger: 0, onlyChampion: 0, n: 275 }).isNonInferior).toBe(true);
  });

  test("a challenger exactly the margin worse passes at most about 5 % of the time", () => {
    const rng = createRng("non-inferiority");
    let passed = 0;
    const [draws, n] = [1500, 400];
    for (let draw = 0; draw < draws; draw++) {
      let [onlyChallenger, onlyChampion] = [0, 0];
      for (let row = 0; row < n; row++) {
        const u = rng.next();
        if (u < 0.04) onlyChallenger++;
        else if (u < 0.09) onlyChampion++; // one point more
      }
      passed += Number(nonInferiority({ onlyChallenger, onlyChampion, n }).isNonInferior);
    }
    // Standard error of 5 % over 1,500 draws: 0.56 points; 6.7 % leaves three.
    expect(passed / draws).toBeLessThan(0.067);
    expect(passed / draws).toBeGreaterThan(0.03);
  });

  test("counts pairs and refuses impossible ones", () => {
    expect(pairedCounts([1, 0, 1], [0, 1, 1])).toEqual({ onlyChallenger: 1, onlyChampion: 1, n: 3 });
    expect(() => nonInferiority({ onlyChallenger: 3, onlyChampion: 3, n: 5 })).toThrow("more discordant rows");
  });
});
