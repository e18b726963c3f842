/**
 * @file The student in service: loaded from the store, watched for promotions, swapped without dropping a request.
 *
 * The new champion is loaded before the old one lets go; requests that began with the old one finish with it, and it is
 * disposed of when the last has. Which pair serves is the store's word alone, so replicas follow it within one poll.
 */

import type { Clock } from "../contracts.ts";
import { messageOf } from "../errors.ts";
import { aborted } from "./deadline.ts";
import { emptyServing, readServing, type Serving, type ServingOptions } from "./serving.ts";

export type StudentLine = {
  /** The pair in service now; its student stays loaded until the lease is disposed of. */
  acquire(): Lease;
  /** Follows the store: loads a new champion, takes note of a void. Sees what was written before the call. */
  reload(): Promise<void>;
  readonly serving: Serving;
  /** Why the store could not be followed at the last attempt; what served before goes on serving. */
  readonly trouble: Error | undefined;
  /** Stops following, and waits until every student is disposed of, or `signal` aborts. */
  close(signal: AbortSignal): Promise<void>;
};

export type Lease = Disposable & { readonly serving: Serving };

export type StudentLineOptions = ServingOptions & {
  readonly clock: Clock;
  /** How often the store is asked whether the champion has changed or was voided. */
  readonly pollMs: number;
  readonly onSwap?: ((serving: Serving) => void) | undefined;
  readonly onTrouble?: ((error: Error) => void) | undefined;
};

/** Loads the champion, then follows the store. A champion that cannot be loaded is trouble: everything is escalated. */
export async function openStudentLine(options: StudentLineOptions): Promise<StudentLine> {
  const stop = new AbortController();
  const retiring = new Set<Promise<void>>();
  let serving = emptyServing(options.auditRate, "no-champion");
  let trouble: Error | undefined;
  let reading = Promise.resolve();

  const follow = async (): Promise<void> => {
    try {
      swapTo(await readServing(serving, options));
      trouble = undefined;
    } catch (thrown) {
      if (!serving.pair) serving = emptyServing(options.auditRate, "student-failed");
      report(thrown);
    }
  };
  const report = (thrown: unknown): void => {
    trouble = thrown instanceof Error ? thrown : new Error(messageOf(thrown));
    options.onTrouble?.(trouble);
  };
  const swapTo = (next: Serving): void => {
    if (next === serving) return;
    const before = serving;
    serving = next;
    if (before.pair && before.pair.shared !== next.pair?.shared) retire(before.pair.shared);
    // Closing is no news of the champion.
    if (!stop.signal.aborted) options.onSwap?.(next);
  };
  const retire = (shared: { retire(): Promise<void> }): void => {
    const retired = shared
      .retire()
      .catch(report)
      .finally(() => retiring.delete(retired));
    retiring.add(retired);
  };
  const reload = (): Promise<void> => {
    reading = reading.then(follow);
    return reading;
  };

  await reload();
  const watching = watch(reload, options, stop.signal);
  return {
    acquire() {
      const hold = serving.pair?.shared.hold();
      return { serving, [Symbol.dispose]: () => hold?.[Symbol.dispose]() };
    },
    reload,
    get serving() {
      return serving;
    },
    get trouble() {
      return trouble;
    },
    async close(signal) {
      stop.abort();
      await watching;
      await reading;
      swapTo(emptyServing(options.auditRate, "no-champion"));
      await Promise.race([Promise.all(retiring), aborted(signal)]);
    },
  };
}

async function watch(
  reload: () => Promise<void>,
  { clock, pollMs }: StudentLineOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    // Rejected by the signal alone, which ends the loop.
    await clock.sleep(pollMs, signal).catch(() => undefined);
    if (!signal.aborted) await reload();
  }
}
