/**
 * @file Which texts share a step, and to what length they are filled up. A step graph has one fixed length, and a token that
 * only fills up costs as much as any other; so texts of like length go together, under a few lengths that the training texts
 * themselves suggest. A pure function of lengths, seed and epoch.
 */

import { createRng, fork, type Seed, shuffle } from "../../../math/random.ts";

/** Shares of the training texts that the padded lengths cover: four graphs, each a second to build and some memory. */
const covered = [0.5, 0.8, 0.95, 1] as const;
/** Lengths are multiples of it: matrix products like their sides so, and close lengths become one. */
const MULTIPLE = 8;

/** Rising; the last covers every text. @param lengths of the training texts, tokens */
export function paddedLengths(lengths: readonly number[]): readonly number[] {
  const sorted = lengths.toSorted((a, b) => a - b);
  const padded = covered.map((share) => {
    const length = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
    return Math.ceil(length / MULTIPLE) * MULTIPLE;
  });
  return [...new Set(padded)];
}

/** Batches whose texts are sorted by length together: enough that few tokens fill up, few enough that chance still mixes. */
const POOL = 16;

export type BatchPlan = { readonly indices: readonly number[]; readonly length: number };

export type PlanOptions = {
  /** Of every row, tokens. */
  readonly lengths: readonly number[];
  readonly padded: readonly number[];
  readonly batchSize: number;
  readonly epoch: number;
  readonly seed: Seed;
};

/** Every row once, in batches whose sizes differ by one at most. */
export function planEpoch({ lengths, padded, batchSize, epoch, seed }: PlanOptions): readonly BatchPlan[] {
  const rng = createRng(fork(seed, "order", epoch));
  const order = shuffle([...lengths.keys()], rng);
  const pools = split(order, Math.ceil(order.length / (POOL * batchSize)));
  const steps = Math.ceil(order.length / batchSize);
  const sorted = pools.flatMap((pool) => pool.toSorted((a, b) => lengths[a]! - lengths[b]!));
  return shuffle(split(sorted, steps), rng).map((indices) => {
    const longest = Math.max(...indices.map((index) => lengths[index]!));
    return { indices, length: padded.find((length) => length >= longest)! };
  });
}

/** Parts of equal size, but for one. */
function split<T>(values: readonly T[], parts: number): readonly (readonly T[])[] {
  const at = (part: number): number => Math.round((part * values.length) / parts);
  return Array.from({ length: parts }, (_, part) => values.slice(at(part), at(part + 1)));
}
