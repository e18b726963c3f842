/**
 * @file k-means: Lloyd's iterations from k-means++ seeds.
 *
 * Source: Arthur & Vassilvitskii, SODA 2007.
 */

import { checkCount, checkFinite } from "./check.ts";
import type { Rng } from "./random.ts";

export type KMeansInput = {
  /** `[n, d]`, row-major. */
  readonly points: Float32Array | Float64Array;
  readonly d: number;
  readonly clusters: number;
  readonly rng: Rng;
  readonly maxIterations?: number;
};

export type KMeans = {
  /** `[clusters, d]`. */
  readonly centroids: Float64Array;
  /** `[n]`. */
  readonly assignment: Int32Array;
  /** Sum of squared distances to the nearest centroid. Lower is better. */
  readonly inertia: number;
  readonly iterations: number;
};

/** Stops once no point changes cluster. A cluster that loses every point keeps its centroid. */
export function kMeans({ points, d, clusters, rng, maxIterations = 20 }: KMeansInput): KMeans {
  checkCount("d", d, 1);
  checkFinite("points", points);
  const n = points.length / d;
  checkCount("clusters", clusters, 1);
  if (!Number.isInteger(n) || clusters > n) throw new RangeError(`${clusters} clusters of ${n} points`);
  const cloud = { points, d, n };
  let centroids = seedCentroids(cloud, clusters, rng);
  let nearest = assign(cloud, centroids);
  for (let iteration = 1; ; iteration++) {
    centroids = moveCentroids(cloud, nearest.assignment, centroids);
    const next = assign(cloud, centroids);
    const settled = next.assignment.every((cluster, i) => cluster === nearest.assignment[i]);
    nearest = next;
    if (settled || iteration >= maxIterations) return { centroids, ...nearest, iterations: iteration };
  }
}

type Cloud = { readonly points: Float32Array | Float64Array; readonly d: number; readonly n: number };

/** Each next seed with probability proportional to its squared distance from the seeds before. Also BADGE's sampler. */
export function kMeansPlusPlus({ points, d, clusters, rng }: Omit<KMeansInput, "maxIterations">): Int32Array {
  const n = points.length / d;
  const seeds = new Int32Array(clusters);
  const distance = new Float64Array(n).fill(Infinity);
  for (let seed = 0; seed < clusters; seed++) {
    seeds[seed] = seed === 0 ? rng.integer(n) : draw(distance, rng);
    for (let i = 0; i < n; i++) {
      distance[i] = Math.min(distance[i]!, squaredDistance(points, i * d, { other: points, at: seeds[seed]! * d, d }));
    }
  }
  return seeds;
}

function seedCentroids({ points, d }: Cloud, clusters: number, rng: Rng): Float64Array {
  const centroids = new Float64Array(clusters * d);
  kMeansPlusPlus({ points, d, clusters, rng }).forEach((point, cluster) => {
    centroids.set(points.subarray(point * d, (point + 1) * d), cluster * d);
  });
  return centroids;
}

/** An index with probability proportional to its weight; uniform where every weight is 0 (all points seeded already). */
function draw(weights: Float64Array, rng: Rng): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return rng.integer(weights.length);
  let left = rng.next() * total;
  for (let index = 0; index < weights.length; index++) {
    left -= weights[index]!;
    if (left < 0) return index;
  }
  return weights.findLastIndex((weight) => weight > 0); // rounding left a crumb
}

function assign({ points, d, n }: Cloud, centroids: Float64Array) {
  const assignment = new Int32Array(n);
  let inertia = 0;
  for (let i = 0; i < n; i++) {
    let least = Infinity;
    for (let at = 0; at < centroids.length; at += d) {
      const distance = squaredDistance(points, i * d, { other: centroids, at, d });
      if (distance < least) [least, assignment[i]] = [distance, at / d];
    }
    inertia += least;
  }
  return { assignment, inertia };
}

function moveCentroids({ points, d, n }: Cloud, assignment: Int32Array, before: Float64Array): Float64Array {
  const centroids = new Float64Array(before.length);
  const counts = new Int32Array(before.length / d);
  for (let i = 0; i < n; i++) {
    counts[assignment[i]!]!++;
    for (let j = 0; j < d; j++) centroids[assignment[i]! * d + j]! += points[i * d + j]!;
  }
  return centroids.map((sum, index) => {
    const count = counts[Math.floor(index / d)]!;
    return count > 0 ? sum / count : before[index]!;
  });
}

type Other = { readonly other: ArrayLike<number>; readonly at: number; readonly d: number };

function squaredDistance(points: ArrayLike<number>, start: number, { other, at, d }: Other): number {
  let sum = 0;
  for (let j = 0; j < d; j++) sum += (points[start + j]! - other[at + j]!) ** 2;
  return sum;
}
