/** @file In which order and in what batches an epoch sees the rows. A pure function of seed and epoch. */

import { createRng, fork, type Seed, shuffle } from "../../math/random.ts";
import type { BatchPlan } from "./batch-loader.ts";

/**
 * Shuffled batches of `rows` row indices, sizes differing by one at most: a last batch of two rows would move the weights
 * as far as a full one.
 */
export function planEpoch(options: {
  readonly rows: number;
  readonly batchSize: number;
  readonly epoch: number;
  readonly seed: Seed;
}): readonly BatchPlan[] {
  const { rows, batchSize, epoch, seed } = options;
  const order = shuffle(
    Array.from({ length: rows }, (_, index) => index),
    createRng(fork(seed, "order", epoch)),
  );
  const steps = Math.ceil(rows / batchSize);
  return Array.from({ length: steps }, (_, step) => {
    const indices = order.slice(Math.round((step * rows) / steps), Math.round(((step + 1) * rows) / steps));
    return indices.map((index) => ({ index, seed: fork(seed, "augment", epoch, index) }));
  });
}
