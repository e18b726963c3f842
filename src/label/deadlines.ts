/** @file The time that a teacher has for its answer, and whoever may end the request before. */

export type Deadline = {
  readonly signal: AbortSignal;
  /** Whether it was the time that ended the request. */
  hasPassed(): boolean;
  clear(): void;
};

export type Deadlines = {
  /** @param signal ends the request as well, with its own reason */
  start(signal: AbortSignal | undefined): Deadline;
};

/** On the real clock: it guards real sockets, half-open ones included. */
export function createDeadlines(timeoutMs: number): Deadlines {
  const followers = createFollowers();
  return {
    start(signal) {
      const controller = new AbortController();
      let passed = false;
      const timer = setTimeout(() => {
        passed = true;
        controller.abort();
      }, timeoutMs);
      const leave = signal && followers.follow(signal, controller);
      return {
        signal: controller.signal,
        hasPassed: () => passed,
        clear() {
          clearTimeout(timer);
          leave?.();
        },
      };
    },
  };
}

/** One listener on each signal: hundreds of requests share one, and one more listener costs a look at all of them. */
function createFollowers() {
  const bySignal = new WeakMap<AbortSignal, Set<AbortController>>();
  const followersOf = (signal: AbortSignal): Set<AbortController> => {
    const known = bySignal.get(signal);
    if (known) return known;
    const controllers = new Set<AbortController>();
    bySignal.set(signal, controllers);
    signal.addEventListener("abort", () => controllers.forEach((one) => void one.abort(signal.reason)), { once: true });
    return controllers;
  };
  return {
    /** @returns leaves again */
    follow(signal: AbortSignal, controller: AbortController): () => void {
      if (signal.aborted) controller.abort(signal.reason);
      const controllers = followersOf(signal);
      controllers.add(controller);
      return () => void controllers.delete(controller);
    },
  };
}
