/**
 * @file Two opinions made one: logits = a · (logistic regression) + b · (votes of the nearest), both out of fold, with the a
 * and b of the lowest log loss. Convex in a and b.
 */

import { lbfgs } from "../../../math/lbfgs.ts";
import { logSumExp } from "../../../math/softmax.ts";

export type Opinions = {
  /** `[n, k]`, nats. */
  readonly linear: Float32Array;
  /** `[n, k]`, log-probabilities. */
  readonly votes: Float32Array;
  readonly k: number;
  /** `[n, k]` */
  readonly targets: Float32Array;
  /** `[n]` */
  readonly weights: Float64Array;
};

export type Stack = { readonly linear: number; readonly votes: number };

/** Shares of 0 or more: an opinion that only counts when it is turned round is none. */
export function fitStack(opinions: Opinions): Stack {
  const both = minimise(opinions, [true, true]);
  if (isFair(both)) return both.shares;
  const alone = [minimise(opinions, [true, false]), minimise(opinions, [false, true])].filter(isFair);
  return alone.toSorted((a, b) => a.loss - b.loss)[0]?.shares ?? { linear: 0, votes: 0 };
}

type Minimised = { readonly shares: Stack; readonly loss: number };

const isFair = ({ shares }: Minimised): boolean => shares.linear >= 0 && shares.votes >= 0;

export function stacked({ linear, votes }: Pick<Opinions, "linear" | "votes">, shares: Stack): Float32Array {
  return linear.map((logit, index) => shares.linear * logit + shares.votes * votes[index]!);
}

function minimise(opinions: Opinions, isFree: readonly [boolean, boolean]): Minimised {
  const start = Float64Array.of(isFree[0] ? 1 : 0, isFree[1] ? 0.1 : 0);
  const { x, value } = lbfgs((at, gradient) => lossAt(opinions, at, gradient, isFree), start, { tolerance: 1e-6 });
  return { shares: { linear: x[0]!, votes: x[1]! }, loss: value };
}

/** Weighted mean cross-entropy. */
function lossAt(
  { linear, votes, k, targets, weights }: Opinions,
  [a = 0, b = 0]: Float64Array,
  gradient: Float64Array,
  isFree: readonly [boolean, boolean],
): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const z = new Float64Array(k);
  let loss = 0;
  gradient.fill(0);
  for (let row = 0; row < weights.length; row++) {
    const share = weights[row]! / total;
    const from = row * k;
    for (let c = 0; c < k; c++) z[c] = a * linear[from + c]! + b * votes[from + c]!;
    const normaliser = logSumExp(z);
    for (let c = 0; c < k; c++) {
      const target = targets[from + c]!;
      loss += share * target * (normaliser - z[c]!);
      const residual = share * (Math.exp(z[c]! - normaliser) - target);
      if (isFree[0]) gradient[0]! += residual * linear[from + c]!;
      if (isFree[1]) gradient[1]! += residual * votes[from + c]!;
    }
  }
  return loss;
}
