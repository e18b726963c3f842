/**
 * @file The queue at the teacher's door: hands out turns as fast as `rate-control.ts` allows, in the order in which they
 * were asked for. One pace serves everybody who asks the same teacher, so that one refusal slows them all.
 */

import type { Clock } from "../contracts.ts";
import { createRateControl, type Outcome, type RateControlOptions } from "./rate-control.ts";

export type { Outcome } from "./rate-control.ts";

/** Permission to send one request. */
export type Turn = {
  /** How the request ended. Must be called exactly once. */
  end(outcome: Outcome): void;
  /** The request was never sent. */
  giveBack(): void;
};

export type PaceState = {
  /** Requests per second; undefined until a limit was met. */
  readonly ratePerSecond: number | undefined;
  readonly concurrency: number;
  readonly inFlight: number;
  readonly waiting: number;
  readonly pausedForMs: number;
};

export type Pace = {
  /** Resolves when one more request may leave; rejects with the signal's reason. */
  acquire(signal?: AbortSignal): Promise<Turn>;
  state(): PaceState;
};

export type PaceOptions = RateControlOptions & { readonly clock: Clock };

type Waiter = {
  readonly signal: AbortSignal | undefined;
  readonly grant: (turn: Turn) => void;
  readonly reject: (reason: unknown) => void;
};

/** Turns saved up while the process was busy elsewhere, in seconds of the rate: a stall of the event loop is caught up. */
const CATCH_UP_MS = 30;

export function createPace({ clock, ...options }: PaceOptions): Pace {
  const control = createRateControl(options);
  const waiters = new Set<Waiter>();
  /** One listener each: hundreds wait on the same signal, and one more listener costs a look at all of them. */
  const watched = new WeakSet<AbortSignal>();
  let inFlight = 0;
  let [credit, creditedAt] = [1, 0];
  let timer: { readonly atMs: number } | undefined;

  const addCredit = (nowMs: number) => {
    const from = Math.max(creditedAt, control.pausedUntilMs());
    const rate = control.rate();
    const most = Math.max(1, (rate * CATCH_UP_MS) / 1000);
    if (nowMs > from) credit = Number.isFinite(rate) ? Math.min(most, credit + ((nowMs - from) * rate) / 1000) : 1;
    creditedAt = Math.max(creditedAt, nowMs);
  };

  /** How long until the next turn; undefined where only the end of another request can bring it. */
  const nextTurnMs = (nowMs: number): number | undefined => {
    if (inFlight >= control.window()) return undefined;
    const pausedMs = control.pausedUntilMs() - nowMs;
    if (pausedMs > 0) return pausedMs;
    const missing = Number.isFinite(control.rate()) ? 1 - credit : 0;
    if (missing <= 0) return 0;
    control.grow(nowMs);
    return (missing * 1000) / control.rate();
  };

  const pump = () => {
    while (waiters.size > 0) {
      const nowMs = clock.now();
      addCredit(nowMs);
      const waitMs = nextTurnMs(nowMs);
      if (waitMs === undefined) return;
      if (waitMs > 0) return wakeIn(waitMs, nowMs);
      grant(nowMs);
    }
  };

  const grant = (nowMs: number) => {
    const [waiter] = waiters;
    if (!waiter) return;
    waiters.delete(waiter);
    if (Number.isFinite(control.rate())) credit -= 1;
    inFlight++;
    waiter.grant(createTurn(nowMs));
  };

  const wakeIn = (waitMs: number, nowMs: number) => {
    const atMs = nowMs + Math.max(1, Math.ceil(waitMs));
    if (timer && timer.atMs <= atMs) return;
    const own = { atMs };
    timer = own;
    clock.sleep(atMs - nowMs).then(() => {
      if (timer === own) timer = undefined;
      pump();
    }, ignoreAbort);
  };

  const createTurn = (nowMs: number): Turn => {
    const sent = control.sent(nowMs);
    let isOpen = true;
    const end = (outcome: Outcome) => {
      if (!isOpen) return;
      isOpen = false;
      inFlight--;
      control.ended(sent, outcome, clock.now());
      pump();
    };
    return { end, giveBack: () => end({ kind: "unsent" }) };
  };

  const watch = (signal: AbortSignal) => {
    if (watched.has(signal)) return;
    watched.add(signal);
    signal.addEventListener("abort", () => dismiss(signal), { once: true });
  };

  const dismiss = (signal: AbortSignal) => {
    for (const waiter of waiters) {
      if (waiter.signal !== signal) continue;
      waiters.delete(waiter);
      waiter.reject(signal.reason);
    }
  };

  return {
    async acquire(signal) {
      signal?.throwIfAborted();
      if (signal) watch(signal);
      return await new Promise<Turn>((resolve, reject) => {
        waiters.add({ signal, grant: resolve, reject });
        pump();
      });
    },
    state: () => ({
      ratePerSecond: Number.isFinite(control.rate()) ? control.rate() : undefined,
      concurrency: control.window(),
      inFlight,
      waiting: waiters.size,
      pausedForMs: Math.max(0, control.pausedUntilMs() - clock.now()),
    }),
  };
}

/** The timer is never aborted; a clock that refuses to sleep has nothing left to time. */
const ignoreAbort = (): void => undefined;
