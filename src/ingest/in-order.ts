/** @file Work on several items at once, results in the order of the items, bounded memory. */

/**
 * What `work` makes of each item, at most `concurrency` at a time. Whoever stops early waits for the work under way, so
 * that nothing goes on behind their back.
 */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  concurrency: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // Its turn to be awaited comes later: until then a failure is not unhandled.
      result.catch(() => undefined);
      underWay.push(result);
      if (underWay.length >= concurrency) yield await underWay.shift()!;
    }
    while (underWay.length > 0) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}

export type Weight<T> = { readonly of: (item: T) => number; readonly most: number };

/** The items in groups of `size`, or of fewer where they are heavy; the last may be smaller. */
export async function* inGroups<T>(
  items: AsyncIterable<T>,
  size: number,
  weight?: Weight<T>,
): AsyncGenerator<readonly T[]> {
  let group: T[] = [];
  let held = 0;
  for await (const item of items) {
    group.push(item);
    if (weight) held += weight.of(item);
    if (group.length < size && (!weight || held < weight.most)) continue;
    yield group;
    [group, held] = [[], 0];
  }
  if (group.length > 0) yield group;
}
