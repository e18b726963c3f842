/**
 * @file Beta calibration of the top label: confidence = σ(a·ln p − b·ln(1 − p) + c), a, b ≥ 0. Contains the identity
 * (a = b = 1, c = 0) and, unlike Platt's sigmoid, fits scores that are already probabilities.
 *
 * Source: Kull, Silva Filho & Flach, AISTATS 2017; targets smoothed as in Platt (1999), so that few or no errors leave
 * the coefficients finite.
 */

import { fitLogistic } from "../math/logistic.ts";
import { correctOf, type Evidence } from "./evidence.ts";
import { topLabels } from "./top-label.ts";

export type Beta = { readonly a: number; readonly b: number; readonly c: number };

/** Enough to make the minimum unique where both features are the same (p near ½), too little to be seen elsewhere. */
const RIDGE = 1e-6;

export function fitBeta(rows: Evidence<"calibrate">, temperature: number): Beta {
  const { logP, logRest } = topLabels(rows.logits, rows.k, temperature);
  const data = { logP, minusLogRest: logRest.map((value) => -value), targets: smoothedTargets(correctOf(rows)) };
  const both = fitOn(data, { usesA: true, usesB: true });
  if (both.a >= 0 && both.b >= 0) return both;
  // Kull et al., §4: a coefficient that comes out negative is set to 0 and the rest fitted again.
  const one = fitOn(data, both.a < 0 ? { usesA: false, usesB: true } : { usesA: true, usesB: false });
  return one.a >= 0 && one.b >= 0 ? one : fitOn(data, { usesA: false, usesB: false });
}

/** (N₊ + 1)/(N₊ + 2) for right rows, 1/(N₋ + 2) for wrong ones: `[n, 2]` as (wrong, right). */
function smoothedTargets(correct: Uint8Array): Float64Array {
  const right = correct.reduce((sum, one) => sum + one, 0);
  const wrong = correct.length - right;
  const targets = new Float64Array(2 * correct.length);
  correct.forEach((isRight, row) => {
    targets[2 * row + 1] = isRight ? (right + 1) / (right + 2) : 1 / (wrong + 2);
    targets[2 * row] = 1 - targets[2 * row + 1]!;
  });
  return targets;
}

type BetaData = { readonly logP: Float64Array; readonly minusLogRest: Float64Array; readonly targets: Float64Array };

function fitOn(
  { logP, minusLogRest, targets }: BetaData,
  { usesA, usesB }: { readonly usesA: boolean; readonly usesB: boolean },
): Beta {
  const features = new Float64Array(2 * logP.length);
  logP.forEach((value, row) => {
    features[2 * row] = usesA ? value : 0;
    features[2 * row + 1] = usesB ? minusLogRest[row]! : 0;
  });
  const { weights, bias } = fitLogistic({ features, d: 2, k: 2, targets }, { l2: RIDGE, tolerance: 1e-9 });
  // Two-class softmax: the difference of the rows is the logit.
  return { a: weights[2]! - weights[0]!, b: weights[3]! - weights[1]!, c: bias[1]! - bias[0]! };
}
