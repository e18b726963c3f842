/**
 * @file All promises of a target at once: its risk, and the recall of classes that have one. Each is certified at an equal part of δ,
 * so together they hold with probability at least 1 − δ (union bound); the strictest threshold keeps them all.
 */

import { clopperPearsonUpper, fewestTrialsFor, mostErrorsBelow } from "../math/binomial.ts";
import type { LabelValue, RecallBound } from "../records.ts";
import { acceptedAt } from "./accepted.ts";
import { chooseThreshold, type ThresholdQuestion } from "./choose-threshold.ts";
import type { Scores } from "./evidence.ts";
import { riskText, type Verdict } from "./verdict.ts";

export type Promises = ThresholdQuestion & {
  /** `[n]`, rows as in `certify`. */
  readonly references: readonly LabelValue[];
};

export function certifyPromises({ references, ...question }: Promises): Verdict {
  const { certify, grid, target, delta = target.delta } = question;
  const classes = Object.entries(target.recall ?? {});
  if (classes.length === 0) return chooseThreshold(question);
  const part = delta / (1 + classes.length);
  const floors = classes.map(([value, recall]) => recallFloor({ certify, references, value, recall, delta: part }));
  const refused = floors.find((one) => one.kind === "none");
  if (refused) return refused;
  const least = Math.max(...floors.map((one) => (one.kind === "floor" ? one.threshold : 0)));
  // The grid is tested strictest first: what passes is certified whether or not looser points are looked at.
  const points = grid.points.filter(({ threshold }) => threshold >= least);
  const verdict = chooseThreshold({ ...question, grid: { ...grid, points }, delta: part });
  if (verdict.kind === "none") return verdict;
  const threshold = Math.max(verdict.threshold, least);
  const recall = floors.flatMap((one) => (one.kind === "floor" ? boundAt(one, threshold) : []));
  return { ...verdict, threshold, ...acceptedAt(certify, threshold), recall };
}

type Floor = Omit<RecallBound, "missed"> & {
  readonly kind: "floor";
  readonly threshold: number;
  readonly own: Scores<"certify">;
};

type ClassQuestion = Pick<Promises, "certify" | "references"> & Pick<RecallBound, "value" | "recall" | "delta">;

/**
 * The lowest threshold at which no more rows of the class are answered with another than the exact bound allows. Missing rows only
 * become fewer as the threshold rises, so that one bound serves all thresholds, as in `certify-regret.ts`; the rows of one class are
 * exchangeable among themselves, however many there are.
 */
function recallFloor({
  certify,
  references,
  value,
  recall,
  delta,
}: ClassQuestion): Floor | Extract<Verdict, { kind: "none" }> {
  const isOwn = (_: number, row: number) => references[row] === value;
  const own = { role: certify.role, score: certify.score.filter(isOwn), correct: certify.correct.filter(isOwn) };
  const n = own.score.length;
  const needed = fewestTrialsFor(1 - recall, delta, { errorsAt: () => 0 }) ?? Number.POSITIVE_INFINITY;
  if (n < needed) {
    const reason = `${n} certify rows are "${value}"; a recall of ${riskText(recall)} needs ${needed} at least`;
    const rows = n > 0 ? Math.ceil(((needed - n) * references.length) / n) : undefined;
    return { kind: "none", reason, moreRowsNeeded: rows, tested: false };
  }
  const most = mostErrorsBelow(1 - recall, n, delta) ?? 0;
  const missed = own.score.filter((_, row) => own.correct[row] === 0).sort();
  const barrier = missed[missed.length - 1 - most] ?? Number.NEGATIVE_INFINITY;
  const above = certify.score.filter((score) => score > barrier && score >= 0);
  if (above.length === 0) {
    const reason = `the student is surest of rows of "${value}" that it calls something else: a recall of ${riskText(recall)} cannot be certified`;
    return { kind: "none", reason, moreRowsNeeded: undefined, tested: true };
  }
  const threshold = barrier < 0 ? 0 : above.reduce((least, score) => Math.min(least, score));
  return { kind: "floor", threshold, own, value, recall, n, delta, bound: 1 - clopperPearsonUpper(most, n, delta) };
}

function boundAt({ value, recall, bound, n, delta, own }: Floor, threshold: number): RecallBound {
  return { value, recall, bound, n, delta, missed: acceptedAt(own, threshold).errors };
}
