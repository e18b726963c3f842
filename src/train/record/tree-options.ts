/** @file What trees are fitted from, and how that is put to XGBoost. */

import type { Progress } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import { createRng } from "../../math/random.ts";
import type { XgboostOptions } from "../../task.ts";
import type { XgboostParameters } from "../../xgboost/parameters.ts";
import type { TrainingRow } from "../training-rows.ts";
import { type Feature, namesOf } from "./feature-schema.ts";
import type { Vectors } from "./vectors.ts";

export type TreeData = {
  readonly rows: readonly TrainingRow[];
  readonly vectors: Vectors;
  readonly classes: number;
};

export type FitTreesOptions = {
  readonly train: TreeData;
  /** Without rows: every round is kept. */
  readonly validation: TreeData;
  readonly features: readonly Feature[];
  readonly xgboost: XgboostOptions;
  /** Whether the trees without a fold are wanted as well. */
  readonly keepsFolds: boolean;
  readonly workFolder: string;
  readonly threads: number;
  readonly seed: string;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** XGBoost's seeds are whole numbers below 2³¹. */
const seedOf = (seed: string): number => createRng(seed).integer(2 ** 31);

/** Of two classes the margin is the second's. */
export function parametersOf({ train, features, xgboost, threads, seed }: FitTreesOptions): XgboostParameters {
  const { num_boost_round: _rounds, early_stopping_rounds: _patience, monotone_constraints, ...own } = xgboost;
  const { classes } = train;
  const given = Object.fromEntries(
    Object.entries(own).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return {
    ...given,
    ...(classes === 2
      ? { objective: "binary:logistic", eval_metric: ["error", "logloss"] }
      : { objective: "multi:softprob", num_class: classes, eval_metric: ["merror", "mlogloss"] }),
    ...(monotone_constraints && { monotone_constraints: directions(features, monotone_constraints) }),
    seed: seedOf(seed),
    nthread: threads,
  };
}

function directions(features: readonly Feature[], wanted: Readonly<Record<string, number>>): readonly number[] {
  const names = features.flatMap(namesOf);
  const unordered = features.find(({ name, type }) => type === "category" && (wanted[name] ?? 0) !== 0);
  if (unordered) throw categoryHasNoOrder(unordered.name);
  const unknown = Object.keys(wanted).find((name) => !names.includes(name));
  if (unknown === undefined) return names.map((name) => wanted[name] ?? 0);
  throw new FlywheelError("student_bad_option", `monotone_constraints names "${unknown}", which is no feature`, {
    hint: `the features are ${names.join(", ")}`,
  });
}

/** XGBoost would take the numbers that stand for its words as an order, and say nothing. */
const categoryHasNoOrder = (name: string): FlywheelError =>
  new FlywheelError(
    "student_bad_option",
    `monotone_constraints names "${name}", a category, which nothing can rise with`,
    {
      hint: "constrain numbers and booleans; where the words have an order, write it into the data as numbers",
    },
  );

export function interrupted(where: string, signal: AbortSignal | undefined): FlywheelError {
  return new FlywheelError("training_interrupted", `training was stopped ${where}`, {
    hint: "run the same command again: it continues from there",
    retryable: true,
    cause: signal?.reason,
  });
}
