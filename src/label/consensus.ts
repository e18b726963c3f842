/**
 * @file From the judgements of one row to its label: people first, then the teacher's passes by vote (SCIENCE D5, D6).
 *
 * Disagreement is information, not noise to be dropped: it lowers the weight and becomes a soft target, so that a student
 * learns that the row is hard. Rows without it would leave only the easy ones.
 */

import type { Annotation, Label, LabelValue, PersonAnnotation, TeacherAnnotation } from "../records.ts";

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

/** An answer of the teacher. */
export type Vote = TeacherAnnotation & { readonly value: LabelValue };

/** Undefined where nobody gave a value under this prompt version. */
export function consensusOf(annotations: readonly Annotation[], promptVersion: string): Consensus | undefined {
  const rulings = latestRulings(annotations);
  if (rulings.length > 0) return ruled(rulings);
  const votes = votesOf(annotations, promptVersion);
  return votes.length > 0 ? voted(votes) : undefined;
}

/**
 * The teacher's valid answers in order of passes. An answer to live traffic counts where labelling has not asked: pass 1
 * asks the very same question, so it would be no second opinion.
 */
export function votesOf(annotations: readonly Annotation[], promptVersion: string): readonly Vote[] {
  const valid = annotations
    .filter((annotation) => annotation.annotator === "teacher")
    .filter(
      (annotation): annotation is Vote => annotation.promptVersion === promptVersion && annotation.value !== undefined,
    )
    .sort((a, b) => a.pass - b.pass);
  return valid.some(({ pass }) => pass === 1) ? valid.filter(({ pass }) => pass > 0) : valid;
}

/** The last ruling of each person, oldest first. */
export function latestRulings(annotations: readonly Annotation[]): readonly PersonAnnotation[] {
  const byPerson = new Map<string, PersonAnnotation>();
  const rulings = annotations.filter((annotation) => annotation.annotator === "person").sort((a, b) => a.at - b.at);
  for (const ruling of rulings) byPerson.set(ruling.person, ruling);
  return [...byPerson.values()].sort((a, b) => a.at - b.at);
}

/** The majority of people; the latest word among equals. */
function ruled(rulings: readonly PersonAnnotation[]): Consensus {
  const shares = meanOf(rulings.map(({ value }) => ({ [value]: 1 })));
  const most = Math.max(...Object.values(shares));
  const value = rulings.findLast((ruling) => shares[ruling.value] === most)!.value;
  const isUnanimous = most === 1;
  return {
    value,
    weight: isUnanimous ? labelWeights.person : labelWeights.majority,
    basis: "person",
    ...(!isUnanimous && { distribution: shares }),
    at: rulings.at(-1)!.at,
  };
}

function voted(votes: readonly Vote[]): Consensus {
  const { value, basis } = winnerOf(votes);
  const isSure = basis === "agreed" && agreesSurely(votes);
  const hasSoftTarget = votes.some(({ probabilities }) => probabilities) || basis === "majority" || basis === "split";
  return {
    value,
    weight: isSure ? labelWeights.sure : labelWeights[basis],
    basis,
    ...(hasSoftTarget && { distribution: meanOf(votes.map(distributionOf)) }),
    at: Math.max(...votes.map(({ at }) => at)),
  };
}

function winnerOf(votes: readonly Vote[]): {
  readonly value: LabelValue;
  readonly basis: "agreed" | "single" | "majority" | "split";
} {
  const first = votes[0]!.value;
  if (votes.length === 1) return { value: first, basis: "single" };
  const count = (value: LabelValue) => votes.filter((vote) => vote.value === value).length;
  const winner = votes.find(({ value }) => count(value) > votes.length / 2)?.value;
  if (winner === undefined) return { value: first, basis: "split" };
  return { value: winner, basis: count(winner) === votes.length ? "agreed" : "majority" };
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
