/**
 * @file The binomial distribution and its exact (Clopper–Pearson) bounds. Everything that Flywheel certifies rests on
 * these few lines, so they are exact: no normal approximation anywhere.
 *
 * Source: Clopper & Pearson, Biometrika 26 (1934). Special functions: @stdlib (checked against SciPy in
 * `test/golden/math-binomial.json`).
 */

import betaQuantile from "@stdlib/stats-base-dists-beta-quantile";
import stdlibBinomialCdf from "@stdlib/stats-base-dists-binomial-cdf";
import { checkCount, checkOpenShare, checkShare, checkSuccesses } from "./check.ts";

/** P(Bin(`trials`, `p`) ≤ `successes`); 0 for negative `successes`. */
export function binomialCdf(successes: number, trials: number, p: number): number {
  checkCount("trials", trials);
  checkShare("p", p);
  if (successes < 0) return 0;
  if (successes >= trials) return 1;
  return stdlibBinomialCdf(Math.floor(successes), trials, p);
}

/**
 * Exact upper bound: the rate b at which `successes` or fewer would be seen with probability `delta`. The true rate
 * exceeds it with probability at most `delta`. 1 where all trials succeeded, or there were none.
 */
export function clopperPearsonUpper(successes: number, trials: number, delta: number): number {
  checkSuccesses(successes, trials);
  checkOpenShare("delta", delta);
  if (successes === trials) return 1;
  return betaQuantile(1 - delta, successes + 1, trials - successes);
}

/** Exact lower bound: the true rate lies below it with probability at most `delta`. 0 where nothing succeeded. */
export function clopperPearsonLower(successes: number, trials: number, delta: number): number {
  checkSuccesses(successes, trials);
  checkOpenShare("delta", delta);
  if (successes === 0) return 0;
  return betaQuantile(delta, successes, trials - successes + 1);
}

/**
 * Two-sided interval, `confidence` split evenly between the tails. Accepts counts that are not whole, for effective
 * samples (Korn & Graubard, Survey Methodology 24, 1998).
 */
export function clopperPearsonInterval(
  successes: number,
  trials: number,
  confidence = 0.95,
): readonly [number, number] {
  checkOpenShare("confidence", confidence);
  if (!(successes >= 0 && successes <= trials)) {
    throw new RangeError(`successes must lie in [0, trials], got ${successes} of ${trials}`);
  }
  const tail = (1 - confidence) / 2;
  const low = successes === 0 ? 0 : betaQuantile(tail, successes, trials - successes + 1);
  const high = successes === trials ? 1 : betaQuantile(1 - tail, successes + 1, trials - successes);
  return [low, high];
}

/**
 * The most errors among `trials` whose upper bound still lies strictly below `risk`; undefined where not even a clean
 * record would do. The bound grows with the errors, so a binary search finds it.
 */
export function mostErrorsBelow(risk: number, trials: number, delta: number): number | undefined {
  const holds = (errors: number) => clopperPearsonUpper(errors, trials, delta) < risk;
  if (trials === 0 || !holds(0)) return undefined;
  let [most, tooMany] = [0, trials];
  while (tooMany - most > 1) {
    const middle = (most + tooMany) >> 1;
    if (holds(middle)) most = middle;
    else tooMany = middle;
  }
  return most;
}

/**
 * The fewest trials at which a record with `errorsAt(trials)` errors has an upper bound of at most `risk`. `errorsAt`
 * must not outgrow `risk`: gives undefined past `limit` trials.
 */
export function fewestTrialsFor(
  risk: number,
  delta: number,
  options: { readonly errorsAt: (trials: number) => number; readonly limit?: number },
): number | undefined {
  const { errorsAt, limit = 10_000_000 } = options;
  const holds = (trials: number) => {
    const errors = Math.min(trials, errorsAt(trials));
    return clopperPearsonUpper(errors, trials, delta) <= risk;
  };
  let high = 1;
  while (!holds(high)) {
    high *= 2;
    if (high > limit) return undefined;
  }
  return bisect(holds, high >> 1, high);
}

/** Smallest integer in (`fails`, `succeeds`] at which `holds` (0 counts as failing). */
function bisect(holds: (trials: number) => boolean, fails: number, succeeds: number): number {
  let [low, high] = [fails, succeeds];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
