/**
 * @file How fast to ask, by additive increase and multiplicative decrease: pure bookkeeping over the times at which requests
 * left, came back or were refused. `pace.ts` does the waiting.
 *
 * TCP halves its window because it knows no better; a refusal tells us more. The first of m requests to be refused since
 * the rate last fell says that about 1/m of them are too many, and by that the rate falls: by a third at most, where every
 * other request is refused, and by a few percent where it was a single one in many. So probes stay some percent above the
 * limit, not a factor of two. A refusal that makes everybody wait (`Retry-After: 1`) is a costly probe: the next one comes
 * only when the pause has become 2 % of the time.
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

/** The most and the least that is left of a rate that was refused; where that cost a pause, sooner less. */
const MILDEST_DECREASE = 0.97;
const COSTLY_DECREASE = 0.96;
const HARSHEST_DECREASE = 0.7;
/** Costly refusals less than this apart, pauses not counted, follow each other: then the rate falls as it can. */
const STREAK_GAP_MS = 1000;
/** Pauses shorter than this cost nothing worth saving. */
const CHEAP_PAUSE_MS = 200;
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
/** Between two refusals less than this apart, what was let through is a matter of chance. */
const PASSED_LEAST_MS = 300;
/** Weight of the latest answer in the mean latency. */
const LATENCY_WEIGHT = 1 / 8;

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
  /** The rate at the last congestion. */
  refusedRate: number;
  /** Let through until a congestion, and how much a second since the one before; 0 where unknown. */
  passed: number;
  passedRate: number;
  passedAtActiveMs: number;
  /** Whether the last refusal cost no pause to speak of. */
  isCheap: boolean;
  congestedAtMs: number;
  /** The same, in time outside pauses. */
  congestedAtActiveMs: number;
  /** No probing before this. */
  holdUntilMs: number;
  grownAtMs: number;
};

export type RateControlOptions = {
  readonly maxConcurrency: number;
  /** As `createConcurrencyWindow`. */
  readonly reached?: number | undefined;
};

export function createRateControl({ maxConcurrency, reached }: RateControlOptions): RateControl {
  const state: State = {
    rate: Number.POSITIVE_INFINITY,
    window: createConcurrencyWindow(maxConcurrency, reached),
    pauses: createPauses(),
    noise: createRefusalNoise(),
    nSent: 0,
    nRefused: 0,
    inFlight: 0,
    latencyMs: undefined,
    answeredCongestion: 0,
    answeredOverload: 0,
    refusedRate: Number.POSITIVE_INFINITY,
    passed: 0,
    passedRate: 0,
    passedAtActiveMs: Number.NEGATIVE_INFINITY,
    isCheap: true,
    congestedAtMs: 0,
    congestedAtActiveMs: Number.NEGATIVE_INFINITY,
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
  if (isCongestion) slowDown(state, sent, nowMs);
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

function slowDown(state: State, sent: Sent, nowMs: number): void {
  const activeMs = state.pauses.activeMs(nowMs);
  const isStreak = activeMs - state.congestedAtActiveMs < STREAK_GAP_MS;
  const isFirst = !Number.isFinite(state.rate);
  state.refusedRate = isFirst ? firstRate(state) : state.rate;
  notePassed(state, activeMs);
  const fallen = state.refusedRate * (isFirst ? MILDEST_DECREASE : decreaseOf(state, sent, isStreak));
  state.rate = Math.max(fallen, Math.min(state.refusedRate, leastOf(state)));
  state.congestedAtActiveMs = activeMs;
  state.answeredCongestion = state.nSent;
}

/**
 * At a refusal no allowance is left: what was let through between two of them is what the provider allows, or less where we
 * asked for less. So it counts only against falling too far.
 */
function notePassed(state: State, activeMs: number): void {
  const elapsedMs = activeMs - state.passedAtActiveMs;
  if (elapsedMs < PASSED_LEAST_MS) return;
  const passed = state.nSent - state.nRefused - state.inFlight;
  state.passedRate = Number.isFinite(elapsedMs) ? ((passed - state.passed) * 1000) / elapsedMs : 0;
  state.passed = passed;
  state.passedAtActiveMs = activeMs;
}

/** Refusals that cost nothing come in clumps where our own requests do: they do not push the rate below what passed. */
const leastOf = ({ isCheap, passedRate }: State): number => (isCheap ? passedRate * MILDEST_DECREASE : 0);

/**
 * Of m requests since the rate last fell this is the first to be refused, so about 1/m of them are too many. A costly
 * refusal says less, for in its pause allowance builds up again: it has to be the last of its kind.
 */
function decreaseOf({ isCheap, answeredCongestion }: State, { number }: Sent, isStreak: boolean): number {
  if (!isCheap) return isStreak ? HARSHEST_DECREASE : COSTLY_DECREASE;
  return Math.min(MILDEST_DECREASE, Math.max(HARSHEST_DECREASE, 1 - 1 / (number - answeredCongestion)));
}

/** The first refusal. As many requests leave per round trip as are under way; before any answer, the burst must do. */
function firstRate({ nSent, nRefused, inFlight, latencyMs }: State): number {
  const perRoundTrip = latencyMs === undefined ? 0 : (inFlight * 1000) / latencyMs;
  return Math.max(1, perRoundTrip, ((nSent - nRefused) * 1000) / (latencyMs ?? ASSUMED_BURST_MS));
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
  const below = refusedRate * (isCheap ? MILDEST_DECREASE : COSTLY_DECREASE) - rate;
  if (below > 0) return additive + (below * 1000) / RECOVERY_MS;
  if (nowMs < holdUntilMs) return 0;
  return rate > refusedRate * LIFTED ? Math.max(additive, rate * LIFTED_GROWTH) : additive;
}
