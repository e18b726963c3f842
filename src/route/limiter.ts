/** @file At most so many at once, first come first served. */

import { abandonOn } from "./deadline.ts";

export type Limiter = {
  /** Waits for a place, then runs `job`; rejects with the signal's reason if it aborts while waiting. */
  run<T>(job: () => Promise<T>, signal: AbortSignal): Promise<T>;
};

export function createLimiter(places: number): Limiter {
  let taken = 0;
  const waiting = new Set<() => void>();

  const take = async (signal: AbortSignal): Promise<void> => {
    if (taken < places) {
      taken += 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    waiting.add(turn.resolve);
    try {
      await abandonOn(turn.promise, signal);
    } catch (reason) {
      // Given the place in the same moment as the signal: pass it on.
      if (!waiting.delete(turn.resolve)) giveBack();
      throw reason;
    }
  };

  /** Hands the place to the next in line without ever counting it free, so that nobody can slip in between. */
  const giveBack = (): void => {
    const [next] = waiting;
    if (!next) {
      taken -= 1;
      return;
    }
    waiting.delete(next);
    next();
  };

  return {
    async run(job, signal) {
      await take(signal);
      try {
        return await job();
      } finally {
        giveBack();
      }
    },
  };
}
