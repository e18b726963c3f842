/** @file δ for certificates that must all hold together, for ever. */

/**
 * δ_i = δ · 6/(π² i²) for attempt i = 1, 2, …: they sum to δ, so with probability at least 1 − δ no certificate ever issued
 * is wrong, whichever of them was promoted.
 */
export function spendDelta(delta: number, attempt: number): number {
  if (!Number.isInteger(attempt) || attempt < 1) throw new RangeError(`attempt must be 1, 2, …, got ${attempt}`);
  return (delta * 6) / (Math.PI * attempt) ** 2;
}
