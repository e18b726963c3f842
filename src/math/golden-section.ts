/** @file Golden-section search (Kiefer, Proceedings of the AMS 4, 1953): the minimum of a unimodal function, no gradient. */

const INVERSE_PHI = (Math.sqrt(5) - 1) / 2;

/** Where `f` is least on [low, high], to within `tolerance`. Of a function with several dips it finds one. */
export function goldenSection(
  f: (x: number) => number,
  range: { readonly low: number; readonly high: number; readonly tolerance?: number },
): { readonly x: number; readonly value: number } {
  let { low, high, tolerance = 1e-6 } = range;
  if (!(low < high)) throw new RangeError(`golden section needs low < high, got [${low}, ${high}]`);
  let [left, right] = [high - INVERSE_PHI * (high - low), low + INVERSE_PHI * (high - low)];
  let [atLeft, atRight] = [f(left), f(right)];
  while (high - low > tolerance) {
    if (atLeft <= atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - INVERSE_PHI * (high - low);
      atLeft = f(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + INVERSE_PHI * (high - low);
      atRight = f(right);
    }
  }
  const x = (low + high) / 2;
  return { x, value: f(x) };
}
