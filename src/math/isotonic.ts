/**
 * @file Isotonic regression: the non-decreasing function nearest to weighted data in least squares.
 *
 * Source: pool adjacent violators (Ayer et al., Annals of Mathematical Statistics 26, 1955). As in scikit-learn, equal x
 * are averaged first and the fit is read by linear interpolation, constant beyond the ends.
 */

import { checkFinite, checkLength } from "./check.ts";

/** Knots: `x` strictly ascending, `y` non-decreasing. Plain arrays, so that it serialises as JSON. */
export type Isotonic = { readonly x: readonly number[]; readonly y: readonly number[] };

export type IsotonicData = {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** Positive; all 1 where absent. */
  readonly weights?: ArrayLike<number>;
};

/** @throws RangeError for no data, unequal lengths, values that are not finite, weights that are not positive */
export function fitIsotonic(data: IsotonicData): Isotonic {
  checkData(data);
  const blocks = pool(averageTies(data));
  const x = blocks.flatMap((block) => (block.first === block.last ? [block.first] : [block.first, block.last]));
  const y = blocks.flatMap((block) => (block.first === block.last ? [block.mean] : [block.mean, block.mean]));
  return { x, y };
}

/** The fit at `at`: linear between knots, constant beyond them. */
export function readIsotonic({ x, y }: Isotonic, at: number): number {
  if (at <= x[0]!) return y[0]!;
  if (at >= x[x.length - 1]!) return y[y.length - 1]!;
  let [low, high] = [0, x.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle]! <= at) low = middle;
    else high = middle;
  }
  return y[low]! + ((at - x[low]!) / (x[high]! - x[low]!)) * (y[high]! - y[low]!);
}

/** Neighbouring points that share one fitted value. */
type Block = { readonly first: number; readonly last: number; readonly mean: number; readonly weight: number };

function merge(a: Block, b: Block): Block {
  const weight = a.weight + b.weight;
  return { first: a.first, last: b.last, mean: (a.mean * a.weight + b.mean * b.weight) / weight, weight };
}

function averageTies({ x, y, weights }: IsotonicData): Block[] {
  const order = Array.from({ length: x.length }, (_, index) => index).sort((a, b) => x[a]! - x[b]!);
  const blocks: Block[] = [];
  for (const index of order) {
    const point = { first: x[index]!, last: x[index]!, mean: y[index]!, weight: weights?.[index] ?? 1 };
    const previous = blocks.at(-1);
    if (previous?.last === point.first) blocks[blocks.length - 1] = merge(previous, point);
    else blocks.push(point);
  }
  return blocks;
}

function pool(points: readonly Block[]): Block[] {
  const blocks: Block[] = [];
  for (let block of points) {
    for (let previous = blocks.at(-1); previous && previous.mean >= block.mean; previous = blocks.at(-1)) {
      block = merge(previous, block);
      blocks.pop();
    }
    blocks.push(block);
  }
  return blocks;
}

function checkData({ x, y, weights }: IsotonicData): void {
  if (x.length === 0) throw new RangeError("isotonic regression needs at least one point");
  checkLength("y", y, x.length);
  checkFinite("x", x);
  checkFinite("y", y);
  if (!weights) return;
  checkLength("weights", weights, x.length);
  for (let index = 0; index < weights.length; index++) {
    if (!(weights[index]! > 0)) throw new RangeError(`weights[${index}] must be positive, got ${weights[index]}`);
  }
}
