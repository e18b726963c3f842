import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kMeans, kMeansPlusPlus } from "./k-means.ts";
import { createRng } from "./random.ts";

describe("k-means", () => {
  test("finds clusters that are far apart, each seeded once", () => {
    const rng = createRng("clusters");
    const points = Float32Array.from({ length: 300 * 2 }, (_, index) => {
      return 20 * (Math.floor(index / 2) % 3) * (index % 2 === 0 ? 1 : -1) + rng.normal();
    });
    const { assignment, centroids, inertia } = kMeans({ points, d: 2, clusters: 3, rng });
    for (let i = 3; i < 300; i++) expect(assignment[i]).toBe(assignment[i % 3]);
    expect(new Set(assignment).size).toBe(3);
    expect(centroids.length).toBe(6);
    expect(inertia / 300).toBeLessThan(3); // two unit variances, were they perfect
  });

  test("every point lies with its nearest centroid", () => {
    const cloud = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 4, maxLength: 40 });
    fc.assert(
      fc.property(cloud, fc.integer(), (values, seed) => {
        const points = Float64Array.from(values);
        const { centroids, assignment } = kMeans({ points, d: 1, clusters: 3, rng: createRng(seed) });
        points.forEach((x, i) => {
          const distances = [...centroids].map((c) => Math.abs(x - c));
          expect(distances[assignment[i]!]).toBeCloseTo(Math.min(...distances), 10);
        });
      }),
    );
  });

  test("identical points are no trouble", () => {
    const points = new Float64Array(10).fill(3);
    expect(kMeans({ points, d: 1, clusters: 4, rng: createRng(1) }).inertia).toBe(0);
  });

  test("seeds are distinct while distinct points are left", () => {
    const seeds = kMeansPlusPlus({ points: Float64Array.of(0, 0, 0, 5, 9), d: 1, clusters: 3, rng: createRng(3) });
    expect(new Set([...seeds].map((seed) => [0, 0, 0, 5, 9][seed])).size).toBe(3);
  });

  test("refuses more clusters than points", () => {
    expect(() => kMeans({ points: Float64Array.of(1), d: 1, clusters: 2, rng: createRng(1) })).toThrow(
      "2 clusters of 1",
    );
  });
});
