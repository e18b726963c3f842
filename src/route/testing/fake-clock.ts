/** @file A clock that moves only when a test says so. */

import type { Clock } from "../../contracts.ts";

export type FakeClock = Clock & {
  /** Moves the time and wakes every sleeper whose time has come. */
  advance(durationMs: number): void;
  readonly sleepers: number;
};

export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let nowMs = startMs;
  const sleeping = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  return {
    now: () => nowMs,
    sleep(durationMs, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          sleeping.delete(sleeper);
          reject(signal?.reason);
        };
        const wake = (): void => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        };
        const sleeper = { untilMs: nowMs + durationMs, wake };
        sleeping.add(sleeper);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
    advance(durationMs) {
      nowMs += durationMs;
      for (const sleeper of sleeping) {
        if (sleeper.untilMs > nowMs) continue;
        sleeping.delete(sleeper);
        sleeper.wake();
      }
    },
    get sleepers() {
      return sleeping.size;
    },
  };
}
