/**
 * @file Which calibrator the number of rows allows (SCIENCE D4): the more rows, the freer the map.
 *
 * All start from the temperature-scaled softmax: with more than two classes temperature also changes which rows are surer
 * than which, and on our data it does so for the better (docs/decisions/2026-11-23-deferral-score.md).
 */

import { confidenceLogLoss } from "../math/calibration-error.ts";
import { fitIsotonic } from "../math/isotonic.ts";
import type { Calibrator } from "../records.ts";
import { correctOf, type Evidence, evidence, scoresOf } from "./evidence.ts";
import { fitBeta } from "./fit-beta.ts";
import { fitTemperature } from "./fit-temperature.ts";
import { topLabels } from "./top-label.ts";

/** Fewer rows than this cannot even place a temperature: the softmax is left as it is. */
export const LEAST_CALIBRATE_ROWS = 30;
const LEAST_ROWS_FOR_BETA = 200;
/** Above it isotonic regression no longer overfits (scikit-learn's advice: not at ≪ 1,000). */
const MOST_ROWS_WITHOUT_ISOTONIC = 1000;
const FOLDS = 5;

/** Temperature below 200 rows; temperature or beta, whichever has the lower cross-validated log loss, to 1,000; isotonic. */
export function fitCalibrator(rows: Evidence<"calibrate">): Calibrator {
  const n = rows.rowIds.length;
  if (n < LEAST_CALIBRATE_ROWS) return { kind: "temperature", temperature: 1 };
  if (n < LEAST_ROWS_FOR_BETA) return fitters.temperature(rows);
  if (n > MOST_ROWS_WITHOUT_ISOTONIC) return fitters.isotonic(rows);
  const kinds = ["temperature", "beta"] as const;
  const [temperatureLoss, betaLoss] = kinds.map((kind) => crossValidatedLoss(rows, fitters[kind]));
  return fitters[betaLoss! < temperatureLoss! ? "beta" : "temperature"](rows);
}

type Fitter = (rows: Evidence<"calibrate">) => Calibrator;

/** One fitter for each kind, whatever the number of rows. */
export const fitters: { readonly [K in Calibrator["kind"]]: Fitter } = {
  temperature: (rows) => ({ kind: "temperature", temperature: fitTemperature(rows) }),
  beta(rows) {
    const temperature = fitTemperature(rows);
    return { kind: "beta", temperature, ...fitBeta(rows, temperature) };
  },
  isotonic(rows) {
    const temperature = fitTemperature(rows);
    const score = topLabels(rows.logits, rows.k, temperature).logP.map(Math.exp);
    const { x, y } = fitIsotonic({ x: score, y: correctOf(rows) });
    return { kind: "isotonic", temperature, score: x, correctness: y };
  },
};

/** Mean log loss of the confidence on rows left out in turn: every fifth row, for rows come in the order of their hashes. */
export function crossValidatedLoss(rows: Evidence<"calibrate">, fitter: Fitter): number {
  let sum = 0;
  for (let fold = 0; fold < FOLDS; fold++) {
    const held = subset(rows, (row) => row % FOLDS === fold);
    const { score, correct } = scoresOf(fitter(subset(rows, (row) => row % FOLDS !== fold)), held);
    sum += confidenceLogLoss({ confidence: score, correct }) * correct.length;
  }
  return sum / rows.rowIds.length;
}

function subset(rows: Evidence<"calibrate">, keep: (row: number) => boolean): Evidence<"calibrate"> {
  const kept = [...rows.rowIds.keys()].filter(keep);
  const logits = new Float32Array(kept.length * rows.k);
  kept.forEach((row, place) => {
    logits.set(rows.logits.subarray(row * rows.k, (row + 1) * rows.k), place * rows.k);
  });
  return evidence("calibrate", {
    rowIds: kept.map((row) => rows.rowIds[row]!),
    k: rows.k,
    logits,
    reference: Int32Array.from(kept, (row) => rows.reference[row]!),
  });
}
