/** @file Many at once from a stream, in bounded memory. */

export type ConcurrentlyOptions = {
  /** Items under way at once. */
  readonly limit: number;
  /** No further item is taken once this is aborted; those under way are finished. */
  readonly stop?: AbortSignal;
};

/**
 * Runs `work` for every item. Resolves when all that were taken are done; rejects with the first failure, after the others
 * that were under way have ended.
 */
export async function concurrently<T>(
  items: AsyncIterable<T>,
  work: (item: T) => Promise<void>,
  { limit, stop }: ConcurrentlyOptions,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  const failures: unknown[] = [];
  // A generator runs one `next` at a time, so that the workers may all ask it.
  const worker = async (): Promise<void> => {
    while (!stop?.aborted && failures.length === 0) {
      const next = await iterator.next();
      if (next.done) return;
      await work(next.value);
    }
  };
  const guarded = () => worker().catch((thrown: unknown) => void failures.push(thrown));
  await Promise.all(Array.from({ length: limit }, guarded));
  await iterator.return?.();
  if (failures.length > 0) throw failures[0];
}
