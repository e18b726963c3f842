/**
 * @file The time that requests have. All have as long, so it runs out in the order in which they came: one timer watches the
 * oldest, and a request costs an entry in a list.
 */

export type DeadlineQueue = {
  start(waiting: Waiting): void;
  /** Its `expire` is called no more. */
  end(waiting: Waiting): void;
};

export type Waiting = { expire(): void };

/** On the real clock: it guards real sockets. */
export function createDeadlineQueue(durationMs: number): DeadlineQueue {
  /** When each is due, in the order in which they came. */
  const entries = new Map<Waiting, number>();
  let timer: NodeJS.Timeout | undefined;

  const watch = (): void => {
    const [dueMs] = entries.values();
    timer = dueMs === undefined ? undefined : setTimeout(expireDue, Math.max(1, dueMs - performance.now())).unref();
  };
  const expireDue = (): void => {
    // A timer may come a fraction of a millisecond early.
    const nowMs = performance.now() + 1;
    for (const [waiting, dueMs] of entries) {
      if (dueMs > nowMs) break;
      entries.delete(waiting);
      waiting.expire();
    }
    watch();
  };

  return {
    start(waiting) {
      entries.set(waiting, performance.now() + durationMs);
      if (!timer) watch();
    },
    end: (waiting) => void entries.delete(waiting),
  };
}
