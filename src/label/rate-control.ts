/**
 * @file How fast to ask, by additive increase and multiplicative decrease: pure bookkeeping over the times at which requests
 * left, came back or were refused. `pace.ts` does the waiting.
 *
 * TCP halves its window because it knows no better; refusals tell us more. A first refusal says that the rate is above the
 * limit, so it falls a little and the limit's allowance is known to be used up. If refusals go on, what is let through from
 * then on *is* the limit, and the rate settles just below it. If they stop, the rate was a little above the limit and now
 * is a little below. So probes stay some percent above the limit, not a factor of two. A refusal that makes everybody wait
 * (`Retry-After: 1`) is a costly probe: the rate then falls faster, and the next probe comes only when the pause has
 * become 2 % of the time.
 *
 * What is no congestion is sorted out in `refusal-noise.ts`; how many may be under way is `concurrency-window.ts`.
 */

import { type ConcurrencyWindow, createConcurrencyWindow } from "./concurrency-window.ts";
import { createPauses, type Pauses } from "./pauses.ts";
import { createRefusalNoise, type RefusalNoise } from "./refusal-noise.ts";

/** How a request ended. `limited`: 429. `overloaded`: 503, 529 or no answer in time. `unsent`: its turn was given back. */
export type Outcome =
  | { readonly kind: "answered"; readonly exhaustedForMs?: number | undefined }
  | { readonly kind: "limited"; readonly retryAfterMs?: number | undefined }
  | { readonly kind: "overloaded"; readonly retryAfterMs?: number | undefined }
  | { readonly kind: "failed" | "unsent" };

export type Sent = { readonly number: number; readonly atMs: number };

export type RateControl = {
  /** Requests per second; `Infinity` until the first refusal. */
  rate(): number;
  /** Requests that may be under way at once. */
  window(): number;
  pausedUntilMs(): number;
  /** Called where a request has to wait only because of the rate: only then does an increase mean anything. */
  grow(nowMs: number): void;
  sent(nowMs: number): Sent;
  ended(sent: Sent, outcome: Outcome, nowMs: number): void;
};

/** After a refusal on its own; among refusals that follow each other without an estimate, or at the price of a pause. */
const DECREASE = 0.96;
const STREAK_DECREASE = 0.7;
/** Refusals less than this apart, pauses not counted, follow each other: the allowance had no time to build up again. */
const STREAK_GAP_MS = 1000;
/** Pauses shorter than this cost nothing worth saving. */
const CHEAP_PAUSE_MS = 200;
/** The rate settles this far below an estimate, or further where that is less certain: n requests count to ±1.5. */
const MARGIN = 0.015;
const COUNTING_ERROR = 1.5;
const LEAST_REQUESTS = 8;
/**
 * Additive increase, as a share of the rate that was refused, per second; four times that after `impatienceMs` without a
 * refusal, nine times after twice as long. Slower where a refusal costs a pause. At least `LEAST_GROWTH` requests/s².
 */
const cheapGrowth = { share: 0.0125, impatienceMs: 2500 };
const costlyGrowth = { share: 0.0075, impatienceMs: 3000 };
const LEAST_GROWTH = 0.2;
/** Below the rate that was refused last, the distance to it shrinks e-fold in this time. */
const RECOVERY_MS = 3000;
/** Beyond that rate the limit was lifted, or never was there: growth as a share of the rate, per second. */
const LIFTED = 1.05;
const LIFTED_GROWTH = 0.3;
/** Time in which nothing waited for the rate says nothing about the limit. */
const LONGEST_STEP_MS = 200;
/** Share of the time that pauses may cost. */
const PROBE_SHARE = 0.02;
const LONGEST_HOLD_MS = 60_000;
/** Some reset headers tell when the whole allowance is back, so they may delay a probe but not for long. */
const LONGEST_EXHAUSTED_MS = 1000;
/** Most allowances that are not used are kept for at least this long, so a burst that is refused tells the rate. */
const ASSUMED_BURST_MS = 100;
/** Weight of the latest answer in the mean latency. */
const LATENCY_WEIGHT = 1 / 8;

/** A refusal, by what had passed until then. */
type Refusal = { readonly passed: number; readonly activeMs: number };

type State = {
  rate: number;
  readonly window: ConcurrencyWindow;
  readonly pauses: Pauses;
  readonly noise: RefusalNoise;
  nSent: number;
  /** Of these, refused or given back: the difference is what the provider let through. */
  nRefused: number;
  inFlight: number;
  latencyMs: number | undefined;
  /** Refusals of requests up to this number belong to a congestion that was answered already; so for overload. */
  answeredCongestion: number;
  answeredOverload: number;
  /** Where the streak of refusals began, and the last of them. */
  streak: { readonly first: Refusal; readonly last: Refusal } | undefined;
  /** The rate at the last congestion. */
  refusedRate: number;
  /** Whether the last refusal cost no pause to speak of. */
  isCheap: boolean;
  congestedAtMs: number;
  /** No probing before this. */
  holdUntilMs: number;
  grownAtMs: number;
};

export function createRateControl({ maxConcurrency }: { readonly maxConcurrency: number }): RateControl {
  const state: State = {
    rate: Number.POSITIVE_INFINITY,
    window: createConcurrencyWindow(maxConcurrency),
    pauses: createPauses(),
    noise: createRefusalNoise(),
    nSent: 0,
    nRefused: 0,
    inFlight: 0,
    latencyMs: undefined,
    answeredCongestion: 0,
    answeredOverload: 0,
    streak: undefined,
    refusedRate: Number.POSITIVE_INFINITY,
    isCheap: true,
    congestedAtMs: 0,
    holdUntilMs: 0,
    grownAtMs: 0,
  };
  return {
    rate: () => state.rate,
    window: () => state.window.size(),
    pausedUntilMs: () => state.pauses.untilMs(),
    grow: (nowMs) => grow(state, nowMs),
    sent(nowMs) {
      state.nSent++;
      state.inFlight++;
      return { number: state.nSent, atMs: nowMs };
    },
    ended(sent, outcome, nowMs) {
      state.inFlight--;
      if (outcome.kind === "unsent") state.nRefused++;
      else if (outcome.kind === "limited") limited(state, { ...outcome, sent, nowMs });
      else if (outcome.kind === "overloaded") overloaded(state, { ...outcome, sent, nowMs });
      else if (outcome.kind === "answered") answered(state, { ...outcome, sent, nowMs });
    },
  };
}

type Ended<K extends Outcome["kind"]> = Extract<Outcome, { readonly kind: K }> & {
  readonly sent: Sent;
  readonly nowMs: number;
};

function answered(state: State, { sent, exhaustedForMs, nowMs }: Ended<"answered">): void {
  count(state, false);
  const tookMs = Math.max(1, nowMs - sent.atMs);
  state.latencyMs ??= tookMs;
  state.latencyMs += (tookMs - state.latencyMs) * LATENCY_WEIGHT;
  state.window.answered(state.inFlight);
  if (exhaustedForMs === undefined) return;
  state.holdUntilMs = Math.max(state.holdUntilMs, nowMs + Math.min(exhaustedForMs, LONGEST_EXHAUSTED_MS));
}

function overloaded(state: State, { sent, retryAfterMs, nowMs }: Ended<"overloaded">): void {
  if (retryAfterMs !== undefined) state.pauses.ask(retryAfterMs, nowMs);
  if (sent.number <= state.answeredOverload) return;
  state.answeredOverload = state.nSent;
  state.window.overloaded(state.inFlight);
}

function limited(state: State, { sent, retryAfterMs = 0, nowMs }: Ended<"limited">): void {
  state.nRefused++;
  state.isCheap = retryAfterMs < CHEAP_PAUSE_MS;
  count(state, true);
  const isNoise = state.isCheap && Number.isFinite(state.rate) && state.noise.isTolerable();
  const isCongestion = sent.number > state.answeredCongestion && !isNoise;
  if (isCongestion) slowDown(state, nowMs);
  state.pauses.ask(retryAfterMs, nowMs);
  if (isCongestion) hold(state, nowMs);
}

/** Where a refusal costs a pause, putting up with refusals is no option. */
function count(state: State, isRefused: boolean): void {
  const rateBefore = state.noise.count(isRefused, state.rate);
  if (rateBefore === undefined || !state.isCheap) return;
  state.rate = rateBefore;
  state.holdUntilMs = 0;
}

function slowDown(state: State, nowMs: number): void {
  const here = { passed: state.nSent - state.nRefused, activeMs: state.pauses.activeMs(nowMs) };
  const isStreak = state.streak !== undefined && here.activeMs - state.streak.last.activeMs < STREAK_GAP_MS;
  const first = (isStreak && state.streak?.first) || here;
  state.streak = { first, last: here };
  state.answeredCongestion = state.nSent;
  state.refusedRate = Number.isFinite(state.rate) ? state.rate : firstRate(state);
  state.rate = isStreak ? streakRate(state, first, here) : state.refusedRate * DECREASE;
}

/** The first refusal. As many requests leave per round trip as are under way; before any answer, the burst must do. */
function firstRate({ nSent, nRefused, inFlight, latencyMs }: State): number {
  const perRoundTrip = latencyMs === undefined ? 0 : (inFlight * 1000) / latencyMs;
  return Math.max(1, perRoundTrip, ((nSent - nRefused) * 1000) / (latencyMs ?? ASSUMED_BURST_MS));
}

/** What was let through since the streak began is the limit. */
function streakRate({ refusedRate, isCheap }: State, first: Refusal, last: Refusal): number {
  const requests = last.passed - first.passed;
  const least = refusedRate * STREAK_DECREASE;
  if (!isCheap || requests < LEAST_REQUESTS) return least;
  const limit = (requests * 1000) / Math.max(1, last.activeMs - first.activeMs);
  const settled = limit * (1 - Math.max(MARGIN, COUNTING_ERROR / requests));
  // A process that was held up sent less than it might have: then the estimate is too low, but never the next one too.
  return Math.max(least, Math.min(refusedRate * DECREASE, settled));
}

function hold(state: State, nowMs: number): void {
  const pauseMs = Math.max(0, state.pauses.untilMs() - nowMs);
  state.holdUntilMs = nowMs + Math.min(LONGEST_HOLD_MS, pauseMs / PROBE_SHARE);
  state.congestedAtMs = nowMs;
  state.grownAtMs = nowMs;
}

function grow(state: State, nowMs: number): void {
  const elapsedMs = Math.min(nowMs - state.grownAtMs, LONGEST_STEP_MS);
  state.grownAtMs = nowMs;
  if (Number.isFinite(state.rate) && elapsedMs > 0) state.rate += (growthOf(state, nowMs) * elapsedMs) / 1000;
}

/** Requests per second². */
function growthOf({ rate, refusedRate, isCheap, holdUntilMs, congestedAtMs }: State, nowMs: number): number {
  const { share, impatienceMs } = isCheap ? cheapGrowth : costlyGrowth;
  const patientMs = Math.max(0, nowMs - Math.max(holdUntilMs, congestedAtMs));
  const additive = Math.max(LEAST_GROWTH, refusedRate * share) * (1 + patientMs / impatienceMs) ** 2;
  const below = refusedRate * DECREASE - rate;
  if (below > 0) return additive + (below * 1000) / RECOVERY_MS;
  if (nowMs < holdUntilMs) return 0;
  return rate > refusedRate * LIFTED ? Math.max(additive, rate * LIFTED_GROWTH) : additive;
}
