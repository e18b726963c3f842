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

/** Observations of 1 and of 0, by their numbers. */
export type Counts = { readonly ones: number; readonly zeros: number };

/**
 * As `observe` for each of them where it is known that none sounds the alarm on the way (`couldAlarm`) or it has sounded
 * already: the order of observations decides when the alarm sounds, and nothing else.
 */
export function observeCounts(state: EProcess, { ones, zeros }: Counts): EProcess {
  const { bets, nullMean } = state;
  const grown = (bet: number): number => ones * Math.log1p(bet * (1 - nullMean)) + zeros * Math.log1p(-bet * nullMean);
  const logProducts = state.logProducts.map((product, j) => product + grown(bets[j]!));
  const logValue = logSumExp(logProducts) - Math.log(bets.length);
  return { ...state, logProducts, n: state.n + ones + zeros, total: state.total + ones, logValue };
}

/** Whether the alarm may sound within these observations: in no order is the evidence larger than with the ones first. */
export function couldAlarm(state: EProcess, { ones }: Counts): boolean {
  if (state.alarmedAt !== undefined || ones === 0) return false;
  // Rounding may differ from that of one after the other.
  return observeCounts(state, { ones, zeros: 0 }).logValue >= -Math.log(state.alpha) - 1e-9;
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
