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
 * Refusals that slowing down does not make fewer have another cause than our rate (another program shares the quota, the
 * provider sheds load at random): they are put up with, for answering each by slowing down ends in standing still.
 *
 * Concurrency has a window of its own: it grows fourfold a round trip while it is what limits, until the provider is
 * overloaded or silent rather than rationing; then it is cut, and grows by a quarter a round trip.
 */

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

const START_WINDOW = 16;
/** Per answer while nothing has gone wrong: fourfold a round trip. */
const START_INCREASE = 3;
const WINDOW_INCREASE = 0.25;
const OVERLOAD_DECREASE = 0.7;

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

/** Cheap refusals of so small a share of the requests are no congestion (as losses are none to BBR). */
const TOLERATED_SHARE = 0.03;
/** Requests over which refusals are counted, to see whether slowing down made them fewer. */
const WINDOW_REQUESTS = 60;
/** Of a rate that fell below this share of itself, at least that share of refusals would have to be gone. */
const SLOWED = 0.85;
const UNHELPED = 0.6;
/** More refusals than this are never noise. */
const MOST_NOISE = 0.3;

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
/** Share of the time that pauses may cost. */
const PROBE_SHARE = 0.02;
const LONGEST_HOLD_MS = 60_000;
/** Most allowances that are not used are kept for at least this long, so a burst that is refused tells the rate. */
const ASSUMED_BURST_MS = 100;

type Anchor = { readonly passed: number; readonly activeMs: number };

export function createRateControl({ maxConcurrency }: { readonly maxConcurrency: number }): RateControl {
  let rate = Number.POSITIVE_INFINITY;
  let window = Math.min(START_WINDOW, maxConcurrency);
  let wasOverloaded = false;
  /** Sent, and of these refused or given back: the difference is what the provider let through. */
  let [nSent, nLimited, inFlight] = [0, 0, 0];
  let latencyMs: number | undefined;
  let [pausedUntil, pausedMs] = [0, 0];
  /** Refusals of requests up to this number belong to a congestion that was answered already. */
  let [answeredCongestion, answeredOverload] = [0, 0];
  /** Where the streak of refusals began, and the last of them. */
  let [anchor, last]: [Anchor | undefined, Anchor | undefined] = [undefined, undefined];
  let refusedRate = Number.POSITIVE_INFINITY;
  let [congestedAt, holdUntil, grownAt] = [0, 0, 0];
  /** Whether the last refusal cost no pause to speak of. */
  let isCheap = true;
  /** Of the last fifty requests or so; and the share that slowing down does not mend. */
  let [refusedShare, noise] = [0, TOLERATED_SHARE];
  /** Requests and refusals counted so far in this window, and what the last window showed. */
  let counted = { requests: 0, refused: 0 };
  let before: { readonly rate: number; readonly share: number } | undefined;

  const pause = (forMs: number, nowMs: number) => {
    const until = nowMs + forMs;
    if (until <= pausedUntil) return;
    pausedMs += until - Math.max(nowMs, pausedUntil);
    pausedUntil = until;
  };

  /** Time that was not spent in pauses that were asked for. */
  const activeMs = (nowMs: number): number => nowMs - pausedMs + Math.max(0, pausedUntil - nowMs);

  /** The first refusal. As many requests leave per round trip as are under way; before any answer, the burst must do. */
  const firstRate = (): number => {
    const perRoundTrip = latencyMs === undefined ? 0 : (inFlight * 1000) / latencyMs;
    return Math.max(1, perRoundTrip, ((nSent - nLimited) * 1000) / (latencyMs ?? ASSUMED_BURST_MS));
  };

  const count = (isRefused: boolean) => {
    refusedShare += (Number(isRefused) - refusedShare) / 50;
    counted = { requests: counted.requests + 1, refused: counted.refused + Number(isRefused) };
    if (counted.requests < WINDOW_REQUESTS || !Number.isFinite(rate)) return;
    // Where a refusal costs a pause, putting up with refusals is no option.
    if (isCheap) judge({ rate, share: counted.refused / counted.requests });
    counted = { requests: 0, refused: 0 };
  };

  /** Refusals that remain when the rate falls have another cause: the rate is given back and they are put up with. */
  const judge = (now: { readonly rate: number; readonly share: number }) => {
    const isUnhelped = before && now.rate < before.rate * SLOWED && now.share > before.share * UNHELPED;
    if (before && isUnhelped && now.share > 0 && now.share < MOST_NOISE) {
      noise = Math.max(noise, 1.5 * now.share);
      rate = before.rate;
      holdUntil = 0;
    } else {
      noise = Math.max(TOLERATED_SHARE, noise * 0.95);
    }
    // The fastest of late is what slowing down is measured against.
    if (!before || now.rate >= before.rate * SLOWED || isUnhelped) before = { rate, share: now.share };
    else before = { ...before, rate: before.rate * 0.95 };
  };

  const congestion = (nowMs: number) => {
    const here: Anchor = { passed: nSent - nLimited, activeMs: activeMs(nowMs) };
    const isStreak = last !== undefined && here.activeMs - last.activeMs < STREAK_GAP_MS;
    if (!isStreak || !anchor) anchor = here;
    last = here;
    refusedRate = Number.isFinite(rate) ? rate : firstRate();
    rate = isStreak ? streakRate(here, anchor) : refusedRate * DECREASE;
  };

  const streakRate = (here: Anchor, from: Anchor): number => {
    const requests = here.passed - from.passed;
    const least = refusedRate * STREAK_DECREASE;
    if (!isCheap || requests < LEAST_REQUESTS) return least;
    const limit = (requests * 1000) / Math.max(1, here.activeMs - from.activeMs);
    const settled = limit * (1 - Math.max(MARGIN, COUNTING_ERROR / requests));
    // A process that was held up sent less than it might have: then the estimate is too low, but never the next one too.
    return Math.max(least, Math.min(refusedRate * DECREASE, settled));
  };

  const limited = (sent: Sent, retryAfterMs: number | undefined, nowMs: number) => {
    nLimited++;
    isCheap = (retryAfterMs ?? 0) < CHEAP_PAUSE_MS;
    count(true);
    const isNoise = isCheap && Number.isFinite(rate) && refusedShare <= noise;
    const isNew = sent.number > answeredCongestion && !isNoise;
    if (isNew) {
      answeredCongestion = nSent;
      congestion(nowMs);
    }
    if (retryAfterMs !== undefined) pause(retryAfterMs, nowMs);
    if (!isNew) return;
    holdUntil = nowMs + Math.min(LONGEST_HOLD_MS, Math.max(0, pausedUntil - nowMs) / PROBE_SHARE);
    congestedAt = nowMs;
    grownAt = nowMs;
  };

  const overloaded = (sent: Sent, retryAfterMs: number | undefined, nowMs: number) => {
    if (retryAfterMs !== undefined) pause(retryAfterMs, nowMs);
    wasOverloaded = true;
    if (sent.number <= answeredOverload) return;
    answeredOverload = nSent;
    window = Math.max(1, Math.min(window, inFlight + 1) * OVERLOAD_DECREASE);
  };

  const answered = (sent: Sent, exhaustedForMs: number | undefined, nowMs: number) => {
    count(false);
    const tookMs = Math.max(1, nowMs - sent.atMs);
    latencyMs = latencyMs === undefined ? tookMs : latencyMs + (tookMs - latencyMs) / 8;
    const isLimiting = inFlight + 1 >= Math.floor(window);
    if (isLimiting) window += wasOverloaded ? Math.max(1, window * WINDOW_INCREASE) / window : START_INCREASE;
    window = Math.min(window, maxConcurrency);
    // Some reset headers tell when the whole allowance is back, so they may delay a probe but not for long.
    if (exhaustedForMs !== undefined) holdUntil = Math.max(holdUntil, nowMs + Math.min(exhaustedForMs, 1000));
  };

  /** Requests per second². */
  const growth = (nowMs: number): number => {
    const patientMs = Math.max(0, nowMs - Math.max(holdUntil, congestedAt));
    const { share, impatienceMs } = isCheap ? cheapGrowth : costlyGrowth;
    const additive = Math.max(LEAST_GROWTH, refusedRate * share) * (1 + patientMs / impatienceMs) ** 2;
    if (rate < refusedRate * DECREASE) return additive + ((refusedRate * DECREASE - rate) * 1000) / RECOVERY_MS;
    if (nowMs < holdUntil) return 0;
    return rate > refusedRate * LIFTED ? Math.max(additive, rate * LIFTED_GROWTH) : additive;
  };

  return {
    rate: () => rate,
    window: () => Math.max(1, Math.floor(window)),
    pausedUntilMs: () => pausedUntil,
    grow(nowMs) {
      // Time in which nothing waited for the rate says nothing about the limit.
      const elapsedMs = Math.min(nowMs - grownAt, 200);
      grownAt = nowMs;
      if (Number.isFinite(rate) && elapsedMs > 0) rate += (growth(nowMs) * elapsedMs) / 1000;
    },
    sent(nowMs) {
      nSent++;
      inFlight++;
      return { number: nSent, atMs: nowMs };
    },
    ended(sent, outcome, nowMs) {
      inFlight--;
      if (outcome.kind === "unsent") nLimited++;
      else if (outcome.kind === "limited") limited(sent, outcome.retryAfterMs, nowMs);
      else if (outcome.kind === "overloaded") overloaded(sent, outcome.retryAfterMs, nowMs);
      else if (outcome.kind === "answered") answered(sent, outcome.exhaustedForMs, nowMs);
    },
  };
}
