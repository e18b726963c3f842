/** @file For tests: a clock that jumps to whatever is waited for next, so that minutes pass in milliseconds. */

import type { Clock } from "../../contracts.ts";

export type VirtualClock = Clock & {
  /** Lets time pass until `work` is done. @throws Error where it waits for something that no sleeper will bring */
  run<T>(work: Promise<T>): Promise<T>;
};

export type VirtualClockOptions = {
  /**
   * How everything that is ready gets done before time moves on: `io` waits for the event loop, files and sockets
   * included; `promises` only for promises, which is much faster.
   */
  readonly settle: "io" | "promises";
};

type Sleeper = { readonly atMs: number; readonly order: number; readonly wake: () => void };

/** Of real time, without a sleeper, after which nothing more can come; a busy disk may take a while. */
const MOST_IDLE_MS = 20_000;

export function createVirtualClock({ settle }: VirtualClockOptions): VirtualClock {
  let nowMs = 1_000_000;
  let order = 0;
  const sleepers = createQueue();
  return {
    now: () => Math.floor(nowMs),
    sleep(durationMs, signal) {
      signal?.throwIfAborted();
      return new Promise((resolve, reject) => {
        const sleeper = { atMs: nowMs + Math.max(0, durationMs), order: order++, wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    },
    async run(work) {
      let isDone = false;
      const finished = work.finally(() => {
        isDone = true;
      });
      finished.catch(() => undefined);
      for (let idleSince: number | undefined; !isDone; ) {
        await (settle === "io" ? turnOfTheLoop() : promisesSettled());
        if (isDone) break;
        const next = sleepers.pop();
        if (!next) {
          idleSince ??= performance.now();
          if (performance.now() - idleSince > MOST_IDLE_MS)
            throw new Error("the work waits for what no sleeper will bring");
          if (settle === "promises") await turnOfTheLoop();
          continue;
        }
        idleSince = undefined;
        nowMs = Math.max(nowMs, next.atMs);
        next.wake();
      }
      return await finished;
    },
  };
}

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function promisesSettled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await undefined;
}

/** A binary heap by time, then by order. */
function createQueue() {
  const heap: Sleeper[] = [];
  const isBefore = (a: number, b: number): boolean => {
    const [one, other] = [heap[a]!, heap[b]!];
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
  };
  const swap = (a: number, b: number) => {
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  };
  return {
    push(sleeper: Sleeper) {
      heap.push(sleeper);
      for (let at = heap.length - 1; at > 0 && isBefore(at, (at - 1) >> 1); at = (at - 1) >> 1) swap(at, (at - 1) >> 1);
    },
    pop(): Sleeper | undefined {
      const first = heap[0];
      const last = heap.pop();
      if (!last || heap.length === 0) return first;
      heap[0] = last;
      for (let at = 0; ; ) {
        const children = [2 * at + 1, 2 * at + 2].filter((child) => child < heap.length);
        const least = children.reduce((best, child) => (isBefore(child, best) ? child : best), at);
        if (least === at) return first;
        swap(at, least);
        at = least;
      }
    },
  };
}
