/**
 * @file What the benchmarks of inputs out of scope share. A student is calibrated and certified on rows of its own kind alone,
 * and then meets others. What it answers of each kind is counted without the limit of novelty, with it, and without it at a
 * threshold raised until it answers as little of what is in scope as with it: that a detector costs coverage is no news, it has
 * to buy more for it than a higher threshold does.
 */

import { chooseThreshold } from "../src/calibrate/choose-threshold.ts";
import { type Evidence, evidence, type Role, scoresOf } from "../src/calibrate/evidence.ts";
import { fitCalibrator } from "../src/calibrate/fit-calibrator.ts";
import { noveltyLimit } from "../src/calibrate/novelty.ts";
import { thresholdGrid } from "../src/calibrate/threshold-grid.ts";
import { deferralScore } from "../src/deferral.ts";
import { proportionEstimate } from "../src/math/estimate.ts";
import { createRng } from "../src/math/random.ts";
import { selectiveSummary } from "../src/math/selective.ts";
import { type Calibrator, type NoveltyLimit, rowId, type Target } from "../src/records.ts";

/** Of all traffic of the usual kind, what may be lost to the limit. */
export const share = 0.02;
/** The cost that may come on top of the share, for the certify rows are others than the calibrate rows. */
export const slack = 0.02;

/** What a student says of rows of one kind. */
export type Heard<R extends Role> = { readonly evidence: Evidence<R>; readonly novelty: Float32Array };

type Said = {
  /** `[n, k]`, nats. */
  readonly logits: Float32Array;
  /** `[n]` */
  readonly novelty: Float32Array;
  /** `[n]`: class index; −1 for a class that the student does not know. */
  readonly reference: Int32Array;
};

export function heard<R extends Role>(role: R, { logits, novelty, reference }: Said): Heard<R> {
  const k = logits.length / reference.length;
  const rowIds = Array.from(reference, (_, row) => rowId(`${row}`));
  return { novelty, evidence: evidence(role, { rowIds, k, logits, reference }) };
}

export type Meeting<Kind extends string> = {
  readonly calibrate: Heard<"calibrate">;
  readonly certify: Heard<"certify">;
  /** New rows of the usual kind. */
  readonly inScope: Heard<"certify">;
  readonly outside: Readonly<Record<Kind, Heard<"certify">>>;
  readonly target: Target;
};

type Count<Kind extends string> = {
  readonly answered: Readonly<Record<Kind | "inScope", number>>;
  /** In scope, answered and wrong. */
  readonly wrong: number;
};

export type Outcome<Kind extends string> = {
  readonly limit: number | undefined;
  readonly rows: Readonly<Record<Kind | "inScope", number>>;
  readonly without: Count<Kind>;
  readonly with: Count<Kind>;
  readonly raised: Count<Kind>;
  /** How well a score tells a kind from what is in scope: novelty, and 1 − confidence. */
  readonly auroc: Readonly<Record<Kind, { readonly novelty: number; readonly doubt: number }>>;
};

type Rule = { readonly calibrator: Calibrator; readonly limit: NoveltyLimit | undefined };

function underRule<R extends Role>({ evidence, novelty }: Heard<R>, { calibrator, limit }: Rule) {
  const scores = scoresOf(calibrator, evidence);
  const score = scores.score.map((confidence, row) =>
    deferralScore({ confidence, novelty: novelty[row] }, { ...(limit && { novelty: limit }) }),
  );
  return { ...scores, score };
}

const reaching = (score: Float64Array, threshold: number): number =>
  score.reduce((count, value) => count + Number(value >= threshold), 0);

export function meet<Kind extends string>(meeting: Meeting<Kind>): Outcome<Kind> {
  const { calibrate, certify, inScope, outside, target } = meeting;
  const calibrator = fitCalibrator(calibrate.evidence);
  const fitted = scoresOf(calibrator, calibrate.evidence);
  const limit = noveltyLimit({ scores: fitted, novelty: calibrate.novelty, target, share });
  const thresholdUnder = (rule: Rule): number => {
    const verdict = chooseThreshold({ certify: underRule(certify, rule), grid: thresholdGrid(fitted), target });
    return verdict.kind === "certified" ? verdict.threshold : Number.POSITIVE_INFINITY;
  };
  const kinds = { ...outside, inScope } as Meeting<Kind | "inScope">["outside"]; // a spread keeps no generic keys
  const count = (rule: Rule, threshold = thresholdUnder(rule)): Count<Kind> => {
    const { correct, score } = underRule(inScope, rule);
    return {
      answered: mapped(kinds, (own) => reaching(underRule(own, rule).score, threshold)),
      wrong: correct.filter((right, row) => right === 0 && score[row]! >= threshold).length,
    };
  };
  const plain: Rule = { calibrator, limit: undefined };
  const detected = count({ calibrator, limit });
  const confidences = underRule(inScope, plain).score.toSorted().reverse();
  const raised = confidences[detected.answered.inScope - 1] ?? Number.POSITIVE_INFINITY;
  const doubt = (own: Heard<"certify">): Float64Array => underRule(own, plain).score.map((score) => 1 - score);
  return {
    limit: limit?.limit,
    rows: mapped(kinds, ({ novelty }) => novelty.length),
    without: count(plain),
    with: detected,
    raised: count(plain, raised),
    auroc: mapped(outside, (own) => ({
      novelty: tells(inScope.novelty, own.novelty),
      doubt: tells(doubt(inScope), doubt(own)),
    })),
  };
}

/** AUROC, where the second should be the larger. */
function tells(usual: ArrayLike<number>, strange: ArrayLike<number>): number {
  const score = [...Array.from(usual), ...Array.from(strange)];
  const correct = score.map((_, row) => Number(row >= usual.length));
  return selectiveSummary({ score, correct }, { rng: createRng("auroc"), resamples: 100 }).auroc!.value;
}

function mapped<Kind extends string, A, B>(record: Readonly<Record<Kind, A>>, of: (value: A) => B): Record<Kind, B> {
  const names = Object.keys(record) as Kind[]; // of an object of exactly these
  return Object.fromEntries(names.map((name) => [name, of(record[name])])) as Record<Kind, B>;
}

const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Shares answered with their 95 % intervals, over several meetings. */
export function figuresOf<Kind extends string>(outcomes: readonly Outcome<Kind>[]) {
  const [first] = outcomes;
  const sharesOf = (pick: (outcome: Outcome<Kind>) => Count<Kind>) => {
    const answered = Object.keys(first!.rows).map((name) => {
      const kind = name as Kind | "inScope"; // of an object of exactly these
      const n = sum(outcomes.map(({ rows }) => rows[kind]));
      const { value, low, high } = proportionEstimate(sum(outcomes.map((one) => pick(one).answered[kind])), n);
      return [kind, [value, low, high].map((one) => rounded(one))] as const;
    });
    const regret = sum(outcomes.map((one) => pick(one).wrong)) / sum(outcomes.map(({ rows }) => rows.inScope));
    return { ...(Object.fromEntries(answered) as Record<Kind | "inScope", number[]>), regret: rounded(regret, 4) };
  };
  const mean = (pick: (outcome: Outcome<Kind>) => number): number => rounded(sum(outcomes.map(pick)) / outcomes.length);
  const kinds = Object.keys(first!.auroc) as Kind[]; // likewise
  const auroc = kinds.map((kind) => {
    const of = (score: "novelty" | "doubt") => mean((outcome) => outcome.auroc[kind][score]);
    return [kind, { novelty: of("novelty"), doubt: of("doubt") }] as const;
  });
  return {
    answered: {
      without: sharesOf(({ without }) => without),
      with: sharesOf((outcome) => outcome.with),
      raisedThreshold: sharesOf(({ raised }) => raised),
    },
    auroc: Object.fromEntries(auroc) as Record<Kind, { novelty: number; doubt: number }>,
  };
}

/** What the limit costs of the usual kind: the share no longer answered. */
export function costOf({
  answered,
}: {
  readonly answered: Record<"without" | "with", { readonly inScope: readonly number[] }>;
}): number {
  return rounded(answered.without.inScope[0]! - answered.with.inScope[0]!);
}
