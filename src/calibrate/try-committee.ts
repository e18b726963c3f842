/**
 * @file Confidence alone, or the committee before it? Chosen on calibrate rows, so that the certify rows certify the one that
 * serves and nothing else; the committee only where it is shown to be better (SCIENCE D1).
 *
 * Both rules answer the same number of rows: as many as the confidence may at the target. McNemar's test then asks on which of
 * them each is wrong. Thresholds of their own, both at the target, would let the committee win by chance a quarter of the time:
 * where the last error that is allowed happens to lie moves one threshold past a hundred rows at once, which the test takes for
 * a hundred independent rows (docs/decisions/2026-11-28-committee.md).
 */

import { deferralScore, keepsTarget } from "../deferral.ts";
import { mcNemarMidP } from "../math/mcnemar.ts";
import { riskCoverageCurve } from "../math/selective.ts";
import type { CommitteeTrial, Target } from "../records.ts";
import type { Scores } from "./evidence.ts";
import type { OfferedCommittee } from "./offered-committee.ts";

/** SCIENCE D1. */
const LEVEL = 0.05;

export type CommitteeQuestion = {
  readonly offered: OfferedCommittee;
  /** By confidence. */
  readonly scores: Scores<"calibrate">;
  /** `[n]`, as in `Prediction`: rows as in `scores`. */
  readonly dissent: readonly (number | undefined)[];
  readonly target: Target;
};

export function tryCommittee({
  offered: { kind, committee },
  scores,
  dissent,
  target,
}: CommitteeQuestion): CommitteeTrial {
  if (!committee) return { kind, size: 0, kept: false, why: nobody[kind] };
  const { size } = committee;
  const n = scores.score.length;
  const accepted = acceptedAtTarget(scores, target);
  if (accepted === 0) {
    return {
      kind,
      size,
      kept: false,
      why: `on ${n} calibrate rows the confidence answers nothing at the target: nothing to compare`,
    };
  }
  const score = scores.score.map((confidence, row) =>
    deferralScore({ confidence, dissent: dissent[row] }, { committee }),
  );
  const [own, other] = [surest(scores.score, accepted), surest(score, accepted)];
  const wrongOnlyIn = (one: ReadonlySet<number>, two: ReadonlySet<number>): number =>
    [...one].filter((row) => !two.has(row) && scores.correct[row] === 0).length;
  const [onlyConfidenceWrong, onlyCommitteeWrong] = [wrongOnlyIn(own, other), wrongOnlyIn(other, own)];
  const { p } = mcNemarMidP(onlyConfidenceWrong, onlyCommitteeWrong);
  const kept = onlyCommitteeWrong < onlyConfidenceWrong && p < LEVEL;
  const comparison = { n, accepted, onlyConfidenceWrong, onlyCommitteeWrong, p };
  return { kind, size, kept, why: explain(comparison, kept), comparison };
}

const nobody: { readonly [K in OfferedCommittee["kind"]]: string } = {
  folds: "this student has no members: a network that is trained whole keeps none, nor does every kind of student",
  predecessors: "no champion before it has the same input and classes",
};

function acceptedAtTarget(scores: Scores<"calibrate">, target: Target): number {
  const n = scores.score.length;
  return riskCoverageCurve(scores).findLast((point) => keepsTarget(target, { ...point, n }))?.accepted ?? 0;
}

/** The `count` rows of the highest scores; of equal ones the first, in the order of a hash. */
function surest(score: Float64Array, count: number): ReadonlySet<number> {
  const order = [...score.keys()].sort((a, b) => score[b]! - score[a]! || a - b);
  return new Set(order.slice(0, count));
}

function explain(
  { n, accepted, onlyConfidenceWrong, onlyCommitteeWrong, p }: NonNullable<CommitteeTrial["comparison"]>,
  kept: boolean,
): string {
  const seen = `answering ${accepted} of ${n} calibrate rows, ${onlyCommitteeWrong} are wrong by the committee alone and ${onlyConfidenceWrong} by the confidence alone (McNemar mid-p ${p.toPrecision(2)})`;
  return kept ? `${seen}: the committee is kept` : `${seen}: not shown to be better, the confidence decides`;
}
