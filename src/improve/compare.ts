/**
 * @file Champion against challenger on rows that neither was trained on (SCIENCE D9). Pure: predictions in, verdict out.
 *
 * The challenger is promoted only if it is shown to be at most a margin less accurate (paired, one-sided 95 %) and its
 * certified coverage does not fall. A challenger that merely was not shown to be worse is not promoted.
 */

import { proportionEstimate } from "../math/estimate.ts";
import { type NonInferiority, nonInferiority, pairedCounts } from "../math/non-inferiority.ts";
import type { Estimate } from "../records.ts";

/** One model on the holdout. The rows and their order are the same for both models. */
export type Judged = {
  /** `[n]`: 1 where the predicted class is the reference label. */
  readonly correct: Uint8Array;
  /** `[n]`: 1 where the model, under its policy, would answer without the teacher. */
  readonly answers: Uint8Array;
};

export type Comparison = {
  readonly champion: { readonly accuracy: Estimate; readonly coverage: Estimate };
  readonly challenger: { readonly accuracy: Estimate; readonly coverage: Estimate };
  readonly paired: NonInferiority;
  readonly promote: boolean;
  /** One sentence, with the numbers. */
  readonly why: string;
};

/** @throws RangeError if the holdout is empty or the two differ in length */
export function compareModels(champion: Judged, challenger: Judged, options: { readonly margin: number }): Comparison {
  const paired = nonInferiority(pairedCounts(challenger.correct, champion.correct), { margin: options.margin });
  const sides = { champion: summarise(champion), challenger: summarise(challenger) };
  const coverageFell = sides.challenger.coverage.value < sides.champion.coverage.value;
  const promote = paired.isNonInferior && !coverageFell;
  return { ...sides, paired, promote, why: explain({ ...sides, paired, coverageFell }) };
}

function summarise({ correct, answers }: Judged): { accuracy: Estimate; coverage: Estimate } {
  return { accuracy: shareOf(correct), coverage: shareOf(answers) };
}

function shareOf(flags: Uint8Array): Estimate {
  return proportionEstimate(
    flags.reduce((sum, flag) => sum + flag, 0),
    flags.length,
  );
}

function explain({
  champion,
  challenger,
  paired,
  coverageFell,
}: Pick<Comparison, "champion" | "challenger" | "paired"> & { readonly coverageFell: boolean }): string {
  const accuracy = `accuracy ${percent(champion.accuracy.value)} → ${percent(challenger.accuracy.value)} on ${paired.difference.n} held-out rows`;
  const coverage = `coverage ${percent(champion.coverage.value)} → ${percent(challenger.coverage.value)}`;
  if (!paired.isNonInferior) {
    return `not promoted: ${accuracy}; the difference may be as low as ${points(paired.difference.low)} points, below −${points(paired.margin)}`;
  }
  return coverageFell ? `not promoted: ${coverage} falls; ${accuracy}` : `promoted: ${coverage}; ${accuracy}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const points = (share: number): string => (100 * share).toFixed(1).replace("-", "−");
