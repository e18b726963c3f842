/**
 * @file The time that requests have. All have as long, so it runs out in the order in which they came: one timer watches the
 * oldest, and a request costs an entry in a list.
 */

export type DeadlineQueue = {
  /** @returns ends the wait: `expire` is called no more */
  start(expire: () => void): () => void;
};

type Entry = { readonly dueMs: number; readonly expire: () => void };

/** On the real clock: it guards real sockets. */
export function createDeadlineQueue(durationMs: number): DeadlineQueue {
  const entries = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;

  const watch = (): void => {
    const [oldest] = entries;
    timer = oldest && setTimeout(expireDue, Math.max(1, oldest.dueMs - performance.now())).unref();
  };
  const expireDue = (): void => {
    // A timer may come a fraction of a millisecond early.
    const nowMs = performance.now() + 1;
    for (const entry of entries) {
      if (entry.dueMs > nowMs) break;
      entries.delete(entry);
      entry.expire();
    }
    watch();
  };

  return {
    start(expire) {
      const entry = { dueMs: performance.now() + durationMs, expire };
      entries.add(entry);
      if (!timer) watch();
      return () => void entries.delete(entry);
    },
  };
}
