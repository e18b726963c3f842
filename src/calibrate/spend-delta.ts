/** @file δ for certificates that must all hold together, for ever. */

/**
 * δ_i = 2δ/((i + 1)(i + 2)) for attempt i = 1, 2, …: a third, a sixth, a tenth of δ. They sum to δ, so with probability at
 * least 1 − δ no certificate ever issued is wrong, whichever of them was promoted. The sequence falls slowly, so that what
 * a round's new certify rows gain is not lost to a smaller δ.
 */
export function spendDelta(delta: number, attempt: number): number {
  if (!Number.isInteger(attempt) || attempt < 1) throw new RangeError(`attempt must be 1, 2, …, got ${attempt}`);
  return (2 * delta) / ((attempt + 1) * (attempt + 2));
}
