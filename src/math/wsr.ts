/**
 * @file An upper bound for the mean of values in [0, 1] by betting: never worse than Hoeffding, close to exact for binary
 * values, valid for weighted and partial losses where Clopper–Pearson is not.
 *
 * Source: Waudby-Smith & Ramdas, JRSS B 86 (2024); formula as in Bates et al., JACM 68 (2021), §3.1.3.
 */

import { checkFinite, checkOpenShare, checkShares } from "./check.ts";

/**
 * R⁺ with P(mean > R⁺) ≤ `delta`. The order of `values` matters (it must not depend on them): bets adapt along it.
 * @throws RangeError for values outside [0, 1]
 */
export function bettingUpperBound(values: ArrayLike<number>, delta: number): number {
  checkOpenShare("delta", delta);
  checkFinite("values", values);
  checkShares("values", values);
  const bets = predictableBets(values, delta);
  const goal = Math.log(1 / delta);
  if (bestCapital(values, bets, 1) < goal) return 1;
  let [low, high] = [0, 1];
  while (high - low > BISECTION_WIDTH) {
    const middle = (low + high) / 2;
    if (bestCapital(values, bets, middle) < goal) low = middle;
    else high = middle;
  }
  return high;
}

/** Far below any risk worth certifying; the bound is rounded up to it. */
const BISECTION_WIDTH = 1e-9;

/** ν_t = min(1, √(2 ln(1/δ) / (n σ̂²_{t−1}))), from what came before t alone; σ̂²_0 = ¼. */
function predictableBets(values: ArrayLike<number>, delta: number): Float64Array {
  const n = values.length;
  const bets = new Float64Array(n);
  let [sum, squares, variance] = [0.5, 0.25, 0.25];
  for (let t = 0; t < n; t++) {
    bets[t] = Math.min(1, Math.sqrt((2 * Math.log(1 / delta)) / (n * variance)));
    sum += values[t]!;
    squares += (values[t]! - sum / (t + 2)) ** 2;
    variance = squares / (t + 2);
  }
  return bets;
}

/** max_t ln K_t(R), K_t(R) = Π(1 − ν_i(x_i − R)): grows with R. */
function bestCapital(values: ArrayLike<number>, bets: Float64Array, risk: number): number {
  let [capital, best] = [0, -Infinity];
  for (let t = 0; t < values.length; t++) {
    capital += Math.log1p(-bets[t]! * (values[t]! - risk));
    best = Math.max(best, capital);
  }
  return best;
}
