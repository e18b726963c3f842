/**
 * @file Deadlines: nothing that a request waits for may make it wait for ever, not even a library that ignores its signal.
 */

import type { Clock } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";

export type Deadline = Disposable & { readonly signal: AbortSignal };

/** A signal that aborts with `deadline_exceeded` after `durationMs`, or with `parent`, unless disposed of before. */
export function startDeadline(clock: Clock, durationMs: number, parent?: AbortSignal): Deadline {
  const expired = new AbortController();
  const stopped = new AbortController();
  const expire = () => expired.abort(deadlineExceeded(durationMs));
  // The sleep is only ever rejected by `stopped`, which means that nobody waits for it any more.
  clock.sleep(durationMs, stopped.signal).then(expire, () => undefined);
  return {
    signal: parent ? AbortSignal.any([expired.signal, parent]) : expired.signal,
    [Symbol.dispose]: () => stopped.abort(),
  };
}

export function deadlineExceeded(durationMs: number): FlywheelError {
  return new FlywheelError("deadline_exceeded", `no answer within ${durationMs} ms`, {
    hint: "try again; if it lasts, look at /readyz and at the teacher's latency",
    retryable: true,
  });
}

/** `promise`, or a rejection with the signal's reason, whichever is first. The promise itself goes on. */
export async function abandonOn<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const abandoned = Promise.withResolvers<never>();
  const abandon = () => abandoned.reject(signal.reason);
  if (signal.aborted) abandon();
  signal.addEventListener("abort", abandon, { once: true });
  try {
    return await Promise.race([promise, abandoned.promise]);
  } finally {
    signal.removeEventListener("abort", abandon);
  }
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
