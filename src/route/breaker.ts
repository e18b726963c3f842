/**
 * @file A circuit breaker: while the teacher is down, nobody waits to find that out again.
 *
 * Closed until `failuresToOpen` failures in a row, or until it is told to open; then open for a pause that doubles up to a ceiling, or as long as the
 * provider asked; then half open: one request tries, and closes or reopens it. State is this process's own observation of
 * the teacher: a second replica makes its own.
 */

import type { Clock } from "../contracts.ts";

export type Exchange = { readonly at: number; readonly isWell: boolean };

export type Breaker = {
  /** Whether a request may be sent now. In the half-open state only the first caller gets true. */
  tryPass(): boolean;
  succeeded(): void;
  failed(retryAfterMs?: number): void;
  /** Opens at once: many answers, taken together, are no answers. */
  open(): void;
  /** The caller that passed neither succeeded nor failed (out of budget, shut down, a failure about its row alone): lets the next one try. */
  withdrew(): void;
  readonly isOpen: boolean;
  /** When the teacher last answered or failed to, of this process's own knowledge; undefined before the first time. */
  readonly lastExchange: Exchange | undefined;
  /** How long until a request may be tried; 0 while closed. */
  readonly retryAfterMs: number;
};

export type BreakerOptions = {
  readonly clock: Pick<Clock, "now">;
  readonly failuresToOpen?: number;
  readonly pauseMs?: number;
  readonly maxPauseMs?: number;
};

export function createBreaker(options: BreakerOptions): Breaker {
  const { clock, failuresToOpen = 5, pauseMs = 1_000, maxPauseMs = 60_000 } = options;
  let failures = 0;
  /** Times in a row that it opened. */
  let openings = 0;
  let openUntil: number | undefined;
  let isProbing = false;
  let lastExchange: Exchange | undefined;

  const open = (retryAfterMs = 0): void => {
    const doubledMs = pauseMs * 2 ** openings;
    openUntil = clock.now() + Math.min(maxPauseMs, Math.max(doubledMs, retryAfterMs));
    openings += 1;
    isProbing = false;
  };

  return {
    tryPass() {
      if (openUntil === undefined) return true;
      if (clock.now() < openUntil || isProbing) return false;
      isProbing = true;
      return true;
    },
    succeeded() {
      lastExchange = { at: clock.now(), isWell: true };
      [failures, openings, openUntil, isProbing] = [0, 0, undefined, false];
    },
    failed(retryAfterMs) {
      lastExchange = { at: clock.now(), isWell: false };
      if (isProbing) return open(retryAfterMs);
      // A request that left before it opened: one outage, however many were on their way.
      if (openUntil !== undefined) return;
      failures += 1;
      if (failures >= failuresToOpen) open(retryAfterMs);
    },
    open() {
      lastExchange = { at: clock.now(), isWell: false };
      if (openUntil === undefined) open();
    },
    withdrew() {
      isProbing = false;
    },
    get lastExchange() {
      return lastExchange;
    },
    get isOpen() {
      return openUntil !== undefined;
    },
    get retryAfterMs() {
      return openUntil === undefined ? 0 : Math.max(0, openUntil - clock.now());
    },
  };
}
