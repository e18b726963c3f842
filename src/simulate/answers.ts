/**
 * @file What a simulated teacher answers: the gold label, or a wrong one at the rates of a confusion matrix. The answer
 * depends on the seed, the row and the wording of the question and on nothing else, so that a run can be repeated.
 *
 * Teachers err together: what one pass gets wrong the next often gets wrong too. For a share of the rows (`correlation`)
 * every wording meets the same fate; for the rest each is drawn anew.
 */

import { createRng, fork, type Seed } from "../math/random.ts";
import type { LabelValue } from "../records.ts";

/** Probability of each answer by gold label; each row sums to 1. */
export type Confusion = Readonly<Record<LabelValue, Readonly<Record<LabelValue, number>>>>;

export type AnswerOptions = {
  readonly classes: readonly LabelValue[];
  readonly confusion: Confusion;
  /** Share of rows whose answer is the same whatever the wording; in [0, 1]. */
  readonly correlation: number;
  readonly seed: Seed;
};

export type Asked = { readonly content: string; readonly wording: string; readonly gold: LabelValue };

export function answerTo({ classes, confusion, correlation, seed }: AnswerOptions, asked: Asked): LabelValue {
  const ofRow = createRng(fork(seed, "row", asked.content));
  const isShared = ofRow.next() < correlation;
  const draw = isShared ? ofRow.next() : createRng(fork(seed, "wording", asked.content, asked.wording)).next();
  return pick(rowOf(confusion, asked.gold), [asked.gold, ...classes.filter((label) => label !== asked.gold)], draw);
}

export function rowOf(confusion: Confusion, gold: LabelValue): Readonly<Record<LabelValue, number>> {
  return confusion[gold] ?? { [gold]: 1 };
}

function pick(
  probabilities: Readonly<Record<LabelValue, number>>,
  order: readonly LabelValue[],
  draw: number,
): LabelValue {
  let passed = 0;
  for (const label of order) {
    passed += probabilities[label] ?? 0;
    if (draw < passed) return label;
  }
  return order[0]!;
}

export type ErrorOptions = {
  readonly classes: readonly LabelValue[];
  /** Mean share of wrong answers over the classes. */
  readonly errorRate: number;
  /** Look-alikes: they are mistaken three times as often as other classes, and mostly for each other. */
  readonly pairs?: readonly (readonly [LabelValue, LabelValue])[];
};

const LOOK_ALIKE_WEIGHT = 3;
const LOOK_ALIKE_SHARE = 0.8;

/** @throws RangeError where the rate cannot be reached: a class can be wrong at most all the time */
export function confusionOf({ classes, errorRate, pairs = [] }: ErrorOptions): Confusion {
  const twinsOf = (label: LabelValue) =>
    pairs.filter((pair) => pair.includes(label)).flatMap((pair) => pair.filter((other) => other !== label));
  const weights = classes.map((label) => (twinsOf(label).length > 0 ? LOOK_ALIKE_WEIGHT : 1));
  const unit = (errorRate * classes.length) / weights.reduce((sum, weight) => sum + weight, 0);
  if (!(errorRate >= 0) || unit * Math.max(...weights) > 1) {
    throw new RangeError(`an error rate of ${errorRate} cannot be spread over ${classes.length} classes`);
  }
  return Object.fromEntries(
    classes.map((label, index) => [
      label,
      errorsOf({ label, classes, twins: twinsOf(label), rate: unit * weights[index]! }),
    ]),
  );
}

function errorsOf({
  label,
  classes,
  twins,
  rate,
}: {
  readonly label: LabelValue;
  readonly classes: readonly LabelValue[];
  readonly twins: readonly LabelValue[];
  readonly rate: number;
}): Readonly<Record<LabelValue, number>> {
  const others = classes.filter((other) => other !== label && !twins.includes(other));
  const toTwins = others.length === 0 ? 1 : twins.length === 0 ? 0 : LOOK_ALIKE_SHARE;
  return Object.fromEntries([
    [label, 1 - rate],
    ...twins.map((twin) => [twin, (rate * toTwins) / twins.length] as const),
    ...others.map((other) => [other, (rate * (1 - toTwins)) / others.length] as const),
  ]);
}
