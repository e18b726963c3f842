/** @file Doing several things at once and taking their results in order. */

/**
 * Maps `items` with at most `concurrency` calls under way; yields results in the order of `items`. A failure is thrown
 * where its result would have come, after the calls under way have settled.
 */
export async function* inOrder<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  concurrency: number,
  transform: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const started = transform(item);
      started.catch(() => {}); // it is awaited below; until then a failure is not an unhandled one
      underWay.push(started);
      if (underWay.length >= concurrency) yield await underWay.shift()!;
    }
    while (underWay.length > 0) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}
