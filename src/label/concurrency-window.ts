/**
 * @file How many requests may be under way at once. Fourfold a round trip while that is what limits, until the provider is
 * overloaded or silent rather than rationing; then it is cut, and grows by a quarter a round trip.
 */

export type ConcurrencyWindow = {
  size(): number;
  /** @param inFlight beside the one that was answered */
  answered(inFlight: number): void;
  overloaded(inFlight: number): void;
};

const START_SIZE = 16;
/** Per answer while nothing has gone wrong: fourfold a round trip. */
const START_INCREASE = 3;
const INCREASE = 0.25;
const DECREASE = 0.7;

/** @param reached under way at once when the run before this one ended: what it found need not be found again */
export function createConcurrencyWindow(maxConcurrency: number, reached = 0): ConcurrencyWindow {
  let size = Math.min(Math.max(START_SIZE, reached), maxConcurrency);
  let wasOverloaded = false;
  return {
    size: () => Math.max(1, Math.floor(size)),
    answered(inFlight) {
      if (inFlight + 1 < Math.floor(size)) return;
      const increase = wasOverloaded ? Math.max(1, size * INCREASE) / size : START_INCREASE;
      size = Math.min(maxConcurrency, size + increase);
    },
    overloaded(inFlight) {
      wasOverloaded = true;
      size = Math.max(1, Math.min(size, inFlight + 1) * DECREASE);
    },
  };
}
