/**
 * @file A test that may be looked at after every observation: has the risk risen above what was certified? Its value
 * exceeds 1/α *at any time* with probability at most α while the risk is at or below the null.
 *
 * Source: Podkopaev & Ramdas, UAI 2022 (tracking the risk of a deployed model); M_t = mean_λ Π(1 + λ(z_i − ε)).
 */

import { checkOpenShare, checkShare } from "./check.ts";
import { logSumExp } from "./softmax.ts";

/** Plain JSON, so that a monitor survives a restart. */
export type EProcess = {
  /** ε: the risk that was promised. */
  readonly nullMean: number;
  readonly alpha: number;
  /** λ: how boldly each of the averaged bettors bets, in (0, 1/ε). */
  readonly bets: readonly number[];
  /** ln Π(1 + λ(z_i − ε)), by bet. */
  readonly logProducts: readonly number[];
  readonly n: number;
  /** Σ z. */
  readonly total: number;
  /** ln M_t. */
  readonly logValue: number;
  /** Observation at which M_t first reached 1/α. Never taken back. */
  readonly alarmedAt?: number;
};

/** Bets for ε = .05 (SCIENCE §2); for another ε they are scaled by .05/ε, which keeps every λ·ε as it is. */
const BETS_AT_FIVE_PERCENT = [0.5, 1, 2, 4, 8, 12];

export function startEProcess(nullMean: number, alpha = 0.05): EProcess {
  checkOpenShare("nullMean", nullMean);
  checkOpenShare("alpha", alpha);
  const bets = BETS_AT_FIVE_PERCENT.map((bet) => (bet * 0.05) / nullMean);
  return { nullMean, alpha, bets, logProducts: bets.map(() => 0), n: 0, total: 0, logValue: 0 };
}

/** One more observation `z` in [0, 1]: 1 an error, 0 none, or a fraction of either (SCIENCE D8). Returns the new state. */
export function observe(state: EProcess, z: number): EProcess {
  checkShare("observation", z);
  const { bets, nullMean, alpha } = state;
  const logProducts = state.logProducts.map((product, j) => product + Math.log1p(bets[j]! * (z - nullMean)));
  const logValue = logSumExp(logProducts) - Math.log(bets.length);
  const n = state.n + 1;
  const alarmedAt = state.alarmedAt ?? (logValue >= -Math.log(alpha) ? n : undefined);
  return {
    ...state,
    logProducts,
    n,
    total: state.total + z,
    logValue,
    ...(alarmedAt === undefined ? {} : { alarmedAt }),
  };
}
