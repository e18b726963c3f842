import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../../../math/random.ts";
import { logSoftmax } from "../../../math/softmax.ts";
import { fitStack, type Opinions, stacked } from "./stack.ts";

const k = 3;

/** Of each opinion: how much it knows of the truth. 0: nothing; below: the contrary. */
function opinions(n: number, seed: string, knows: { readonly linear: number; readonly votes: number }): Opinions {
  const rng = createRng(seed);
  const targets = new Float32Array(n * k);
  for (let row = 0; row < n; row++) targets[row * k + rng.integer(k)] = 1;
  const opinion = (strength: number): Float32Array => targets.map((target) => strength * target + rng.normal());
  return {
    linear: opinion(knows.linear),
    votes: opinion(knows.votes),
    k,
    targets,
    weights: Float64Array.from({ length: n }, () => 0.2 + rng.next()),
  };
}

function lossOf(own: Opinions, shares: { readonly linear: number; readonly votes: number }): number {
  const logs = logSoftmax(stacked(own, shares), k);
  return logs.reduce((sum, log, index) => sum - own.weights[Math.floor(index / k)]! * own.targets[index]! * log, 0);
}

describe("two opinions made one", () => {
  test("lose no more than either alone, nor than any other shares", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.double({ min: 0, max: 2, noNaN: true }),
        (seed, linear, votes) => {
          const own = opinions(150, seed, { linear, votes });
          const shares = fitStack(own);
          expect(Math.min(shares.linear, shares.votes)).toBeGreaterThanOrEqual(0);
          const least = lossOf(own, shares);
          const others = [
            { linear: 1, votes: 0 },
            { linear: 0, votes: 1 },
            { linear: shares.linear + 0.05, votes: shares.votes },
            { linear: shares.linear, votes: shares.votes + 0.05 },
          ];
          for (const other of others) expect(lossOf(own, other)).toBeGreaterThanOrEqual(least - 1e-6);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("leave out one that is only right when turned round", () => {
    const shares = fitStack(opinions(400, "contrary", { linear: 1.5, votes: -1 }));
    expect(shares.votes).toBe(0);
    expect(shares.linear).toBeGreaterThan(0.5);
    expect(fitStack(opinions(400, "contrary", { linear: -1, votes: 1.5 })).linear).toBe(0);
    expect(fitStack(opinions(400, "contrary", { linear: -1, votes: -1 }))).toEqual({ linear: 0, votes: 0 });
  });

  test("count for more the more they know", () => {
    const shares = fitStack(opinions(2000, "unequal", { linear: 2, votes: 0.5 }));
    expect(shares.linear).toBeGreaterThan(2 * shares.votes);
  });
});
