/** @file What a reader of a policy should know before trusting it. Each sentence carries its numbers and what to do. */

import type { Rng } from "../math/random.ts";
import { countValues, inField } from "../one-answer.ts";
import type { NoveltyLimit } from "../records.ts";
import type { Task } from "../task.ts";
import type { Role, Scores } from "./evidence.ts";
import { LEAST_CALIBRATE_ROWS } from "./fit-calibrator.ts";
import type { JudgedRow } from "./judged-rows.ts";
import type { HeldOut } from "./load-rows.ts";
import { MIN_AUROC, MIN_ERROR_SHARE, usefulMiddle } from "./useful-middle.ts";

/** Of the rows: too few, unpredicted, or without a verdict of the teacher. */
export function splitWarnings(heldOut: { readonly [R in Role]: HeldOut }, calibrateLabels: number): string[] {
  const few = calibrateLabels;
  const unpredicted = heldOut.calibrate.withoutPrediction + heldOut.certify.withoutPrediction;
  const silent = heldOut.certify.rows.filter(({ isJudged, teacher, person }) => isJudged && !teacher && !person).length;
  return [
    ...(few < LEAST_CALIBRATE_ROWS
      ? [
          `only ${few} calibrate rows have a label: confidence is the plain softmax, not calibrated (${LEAST_CALIBRATE_ROWS} would do)`,
        ]
      : []),
    ...(unpredicted > 0
      ? [
          `${unpredicted} held-out rows have no prediction by this model and were left out: they came after it was trained`,
        ]
      : []),
    ...(silent > 0
      ? [`on ${silent} certify rows the teacher gave no valid answer: the certificate covers the rows on which it does`]
      : []),
  ];
}

/** Of out-of-scope inputs: that nothing keeps them out, where the task wants it. */
export function noveltyWarnings(asked: {
  /** 0 where nothing was to be kept out, or the student cannot tell. */
  readonly share: number;
  readonly limit: NoveltyLimit | undefined;
  /** Calibrate rows with a label. */
  readonly rows: number;
}): string[] {
  if (asked.share === 0 || asked.limit) return [];
  const wanted = Math.ceil(1 / asked.share) - 1;
  return [
    `only ${asked.rows} calibrate rows have a label: what is unlike the training data is not escalated for that (${wanted} would do)`,
  ];
}

/** Of the labels: that always saying one class would keep the target, so that the certificate says nothing of the others. */
export function labelWarnings(certify: readonly JudgedRow[], task: Task): string[] {
  return [...inField({ name: "", task }, countValues(certify.map(({ reference }) => reference)))];
}

/** Of the ranking: whether any threshold can part right from wrong (SCIENCE D1). */
export function rankingWarnings(
  scores: Scores<"calibrate">,
  { rng, isCertified }: { readonly rng: Rng; readonly isCertified: boolean },
): string[] {
  const middle = usefulMiddle(scores, { rng });
  if (middle.kind !== "no-useful-middle") return [];
  const auroc = below(middle.auroc.value, MIN_AUROC, "");
  const share = below(100 * middle.errorShareInLeastConfident.value, 100 * MIN_ERROR_SHARE, "%");
  const found = [
    ...(auroc ? [`AUROC ${auroc}`] : []),
    ...(share ? [`errors among the least confident fifth: ${share}`] : []),
  ].join("; ");
  const verdict = isCertified
    ? "the certificate holds all the same; a student that ranks better would answer more"
    : "improve the student before routing by it";
  return [`confidence does not separate correct from wrong answers well (${found}): ${verdict}`];
}

/** `0.748, at least 0.75 is wanted`, with as many digits as tell the two apart; undefined where it is not below. */
function below(value: number, wanted: number, unit: "" | "%"): string | undefined {
  if (value >= wanted) return undefined;
  const least = unit === "%" ? 0 : 2;
  for (let digits = least; ; digits++) {
    const [shown, asked] = [value.toFixed(digits), wanted.toFixed(digits)];
    if (shown !== asked || digits >= MAX_DIGITS)
      return `${shown}${unit}, at least ${wanted.toFixed(least)}${unit} is wanted`;
  }
}

const MAX_DIGITS = 12;
