/** @file The limit of requests per second that a simulated teacher enforces: a token bucket, as most providers' is. */

export type TokenBucket = {
  /** Takes a token; undefined, or how long until there is one again, ms. */
  take(nowMs: number): number | undefined;
  remaining(nowMs: number): number;
};

/** A token that was added up from fractions may fall short of one by this much. */
const ROUNDING = 1e-9;

/** @param burstMs how much unused allowance is kept; the bucket holds at least one token */
export function createTokenBucket(perSecond: number, burstMs: number): TokenBucket {
  const capacity = Math.max(1, (perSecond * burstMs) / 1000);
  let tokens = capacity;
  let filledAt: number | undefined;
  const fill = (nowMs: number) => {
    tokens = Math.min(capacity, tokens + (Math.max(0, nowMs - (filledAt ?? nowMs)) * perSecond) / 1000);
    filledAt = Math.max(nowMs, filledAt ?? nowMs);
  };
  return {
    take(nowMs) {
      fill(nowMs);
      if (tokens < 1 - ROUNDING) return ((1 - tokens) * 1000) / perSecond;
      tokens -= 1;
      return undefined;
    },
    remaining(nowMs) {
      fill(nowMs);
      return Math.floor(tokens);
    },
  };
}
