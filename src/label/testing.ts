/** @file For tests: a clock that jumps to whatever is waited for next, so that minutes pass in milliseconds. */

import type { Clock } from "../contracts.ts";

export type VirtualClock = Clock & {
  /** Lets time pass until `work` is done. @throws Error where it waits for something that no sleeper will bring */
  run<T>(work: Promise<T>): Promise<T>;
};

type Sleeper = { readonly atMs: number; readonly order: number; readonly wake: () => void };

export function createVirtualClock(startMs = 1_000_000): VirtualClock {
  let nowMs = startMs;
  let order = 0;
  const sleepers = new Set<Sleeper>();
  const next = (): Sleeper | undefined => {
    let first: Sleeper | undefined;
    for (const sleeper of sleepers) {
      if (!first || sleeper.atMs < first.atMs || (sleeper.atMs === first.atMs && sleeper.order < first.order)) {
        first = sleeper;
      }
    }
    return first;
  };
  return {
    now: () => nowMs,
    sleep(durationMs, signal) {
      signal?.throwIfAborted();
      return new Promise((resolve, reject) => {
        const sleeper = { atMs: nowMs + Math.max(0, durationMs), order: order++, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => sleepers.delete(sleeper) && reject(signal.reason), { once: true });
      });
    },
    async run(work) {
      let isDone = false;
      const finished = work.finally(() => {
        isDone = true;
      });
      finished.catch(() => undefined);
      let idle = 0;
      while (!isDone) {
        // Everything that is ready now goes first, real input and output included.
        await new Promise((resolve) => setImmediate(resolve));
        if (isDone) break;
        const sleeper = next();
        if (!sleeper) {
          if (++idle > 1000) throw new Error("the work waits for something that no sleeper will bring");
          continue;
        }
        idle = 0;
        sleepers.delete(sleeper);
        nowMs = Math.max(nowMs, sleeper.atMs);
        sleeper.wake();
      }
      return await finished;
    },
  };
}
