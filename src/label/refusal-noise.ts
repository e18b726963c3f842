/**
 * @file Refusals that are no sign of congestion: so few that nobody need slow down (as losses are to BBR), or those that
 * slowing down does not make fewer, because another program shares the quota or the provider sheds load at random.
 * Answering each of these by slowing down ends in standing still.
 */

export type RefusalNoise = {
  /** Counts a request that was answered or refused at `rate`. @returns a rate to go back to, where slowing down was in vain */
  count(isRefused: boolean, rate: number): number | undefined;
  /** Whether refusals as they come now are to be put up with. */
  isTolerable(): boolean;
};

/** Of requests; always put up with. */
const TOLERATED_SHARE = 0.04;
/** Requests over which the share is an average, and over which rates are compared. */
const MEMORY = 50;
const WINDOW_REQUESTS = 60;
/** When the rate has fallen below the first share of itself, refusals ought to have fallen below the second. */
const SLOWED = 0.85;
const UNHELPED = 0.6;
/** More refusals than this are never noise. */
const MOST_NOISE = 0.3;
/** What was learnt counts for less with every window. */
const FORGET = 0.95;

type Window = { readonly rate: number; readonly share: number };

export function createRefusalNoise(): RefusalNoise {
  let refusedShare = 0;
  let noise = TOLERATED_SHARE;
  let counted = { requests: 0, refused: 0 };
  /** The fastest window of late: what slowing down is measured against. */
  let fastest: Window | undefined;

  const judge = (now: Window): number | undefined => {
    const isSlower = fastest !== undefined && now.rate < fastest.rate * SLOWED;
    const isInVain = isSlower && now.share > fastest!.share * UNHELPED;
    const before = fastest;
    fastest = isSlower && !isInVain ? { ...fastest!, rate: fastest!.rate * FORGET } : now;
    if (!before || !isInVain || now.share >= MOST_NOISE) {
      noise = Math.max(TOLERATED_SHARE, noise * FORGET);
      return undefined;
    }
    noise = Math.max(noise, 1.5 * now.share);
    fastest = { rate: before.rate, share: now.share };
    return before.rate;
  };

  return {
    count(isRefused, rate) {
      refusedShare += (Number(isRefused) - refusedShare) / MEMORY;
      counted = { requests: counted.requests + 1, refused: counted.refused + Number(isRefused) };
      if (counted.requests < WINDOW_REQUESTS) return undefined;
      const share = counted.refused / counted.requests;
      counted = { requests: 0, refused: 0 };
      return Number.isFinite(rate) ? judge({ rate, share }) : undefined;
    },
    isTolerable: () => refusedShare <= noise,
  };
}
