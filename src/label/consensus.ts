/**
 * @file From the judgements of one row to its label: people first, then the teacher's passes by vote (SCIENCE D5, D6).
 *
 * Disagreement is information, not noise to be dropped: it lowers the weight and becomes a soft target, so that a student
 * learns that the row is hard. Rows without it would leave only the easy ones.
 */

import type { Annotation, Label, LabelValue, PersonAnnotation } from "../records.ts";
import { basisOf, latestRulings, personVerdict, teacherVerdict, type Vote, votesOf } from "../verdict.ts";

/** Training weights (D5; `single` and `split` are ours: between agreement and majority, and well below it). */
export const labelWeights = {
  person: 1,
  /** Passes agree, and every pass that gave a probability was sure. */
  sure: 1,
  agreed: 0.8,
  single: 0.6,
  majority: 0.5,
  split: 0.2,
} as const;

/** A probability from here on is high. */
const SURE = 0.95;

export type Distribution = Readonly<Record<LabelValue, number>>;
export type Consensus = Pick<Label, "value" | "weight" | "basis" | "distribution" | "at">;

/** Undefined where nobody gave a value under this prompt version. */
export function consensusOf(annotations: readonly Annotation[], promptVersion: string): Consensus | undefined {
  const rulings = latestRulings(annotations);
  if (rulings.length > 0) return ruled(rulings);
  const votes = votesOf(annotations, promptVersion);
  return votes.length > 0 ? voted(votes) : undefined;
}

function ruled(rulings: readonly PersonAnnotation[]): Consensus {
  const shares = meanOf(rulings.map(({ value }) => ({ [value]: 1 })));
  const isUnanimous = Object.keys(shares).length === 1;
  return {
    value: personVerdict(rulings)!,
    weight: isUnanimous ? labelWeights.person : labelWeights.majority,
    basis: "person",
    ...(!isUnanimous && { distribution: shares }),
    at: rulings.at(-1)!.at,
  };
}

function voted(votes: readonly Vote[]): Consensus {
  const basis = basisOf(votes);
  const isSure = basis === "agreed" && agreesSurely(votes);
  const hasSoftTarget = votes.some(({ probabilities }) => probabilities) || basis === "majority" || basis === "split";
  return {
    value: teacherVerdict(votes)!,
    weight: isSure ? labelWeights.sure : labelWeights[basis],
    basis,
    ...(hasSoftTarget && { distribution: meanOf(votes.map(distributionOf)) }),
    at: Math.max(...votes.map(({ at }) => at)),
  };
}

function agreesSurely(votes: readonly Vote[]): boolean {
  const given = votes.flatMap(({ probabilities, value }) => (probabilities ? [probabilities[value] ?? 0] : []));
  return given.length > 0 && given.every((probability) => probability >= SURE);
}

const distributionOf = ({ probabilities, value }: Vote): Distribution => probabilities ?? { [value]: 1 };

function meanOf(distributions: readonly Distribution[]): Distribution {
  const sum: Record<LabelValue, number> = {};
  for (const distribution of distributions) {
    for (const [value, share] of Object.entries(distribution))
      sum[value] = (sum[value] ?? 0) + share / distributions.length;
  }
  return sum;
}
