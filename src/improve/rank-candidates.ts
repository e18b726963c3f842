/**
 * @file Which of several students to certify. Pure: what each said of the same rows goes in, one of them comes out. The rows
 * are out-of-fold train rows and calibrate rows; those that certify are never looked at (SCIENCE D10, D12).
 */

import { keepsTarget } from "../deferral.ts";
import { bootstrapEstimate } from "../math/bootstrap.ts";
import { proportionEstimate } from "../math/estimate.ts";
import { compareCorrectness } from "../math/mcnemar.ts";
import { holm } from "../math/multiple-tests.ts";
import type { Rng } from "../math/random.ts";
import type { Estimate, Target } from "../records.ts";

/** What one candidate said. The rows and their order are the same for all. */
export type Said = {
  /** `[n]`: higher is surer. */
  readonly score: Float64Array;
  /** `[n]`: 1 where it is right, else 0. */
  readonly correct: Uint8Array;
};

export type Ranked = {
  readonly accuracy: Estimate;
  readonly coverage: Estimate;
  /** Coverage of the candidate with most of it, minus this one's, on the same rows. */
  readonly behind: Estimate;
  readonly p: number;
  readonly chosen: boolean;
};

/** Differences in accuracy with a larger p are noise. */
const NOISE = 0.05;
const RESAMPLES = 400;

/**
 * The cheapest candidate that is shown to be worse than the one with most coverage neither in accuracy (McNemar, Holm) nor
 * in coverage (paired bootstrap).
 * @param candidates cheapest first
 * @throws RangeError where there is no candidate, or no row
 */
export function rankCandidates(candidates: readonly Said[], target: Target, rng: Rng): readonly Ranked[] {
  const n = candidates[0]?.correct.length ?? 0;
  if (n === 0) throw new RangeError("nothing to compare: no candidate, or no row");
  const answers = candidates.map((said) => answeredAt(said, target));
  const every = new Uint32Array(n).fill(1);
  const answered = answers.map((count) => count(every));
  const best = answered.indexOf(Math.max(...answered));
  const p = holm(candidates.map(({ correct }) => compareCorrectness(correct, candidates[best]!.correct).p));
  const behind = answers.map((own) => differenceOf(answers[best]!, own, { n, rng }));
  const chosen = p.findIndex((value, index) => index === best || (value >= NOISE && behind[index]!.low <= 0));
  return candidates.map(({ correct }, index) => ({
    accuracy: proportionEstimate(
      correct.reduce((sum, one) => sum + one, 0),
      n,
    ),
    coverage: proportionEstimate(answered[index]!, n),
    behind: behind[index]!,
    p: p[index]!,
    chosen: index === chosen,
  }));
}

/** Rows that would be answered where each row stands `times[row]` times. */
type CountAnswered = (times: Uint32Array) => number;

/** At the loosest threshold at which the rows seen keep the target. */
function answeredAt({ score, correct }: Said, target: Target): CountAnswered {
  const order = Array.from(score.keys()).sort((a, b) => score[b]! - score[a]!);
  const n = score.length;
  return (times) => {
    let [accepted, errors, most] = [0, 0, 0];
    for (let place = 0; place < n; place++) {
      const row = order[place]!;
      accepted += times[row]!;
      errors += times[row]! * (1 - correct[row]!);
      const isLastOfTie = place + 1 === n || score[order[place + 1]!] !== score[row];
      if (isLastOfTie && keepsTarget(target, { errors, accepted, n })) most = accepted;
    }
    return most;
  };
}

function differenceOf(
  first: CountAnswered,
  second: CountAnswered,
  { n, rng }: { readonly n: number; readonly rng: Rng },
): Estimate {
  const difference = (rows: Int32Array) => {
    const times = new Uint32Array(n);
    for (const row of rows) times[row]! += 1;
    return (first(times) - second(times)) / n;
  };
  return bootstrapEstimate(n, difference, { rng, resamples: RESAMPLES });
}
