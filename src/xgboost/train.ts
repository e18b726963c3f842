/**
 * @file Rounds of boosting with early stopping, as Python's `xgboost.train` runs them: the same calls in the same order, so
 * that the same data, parameters and seed give the same trees.
 */

import { setImmediate } from "node:timers/promises";
import { FlywheelError } from "../errors.ts";
import { type Booster, createBooster } from "./booster.ts";
import type { Matrix } from "./matrix.ts";
import type { XgboostLibrary } from "./native.ts";
import type { XgboostParameters } from "./parameters.ts";

export type TrainOptions = {
  readonly matrix: Matrix;
  readonly parameters: XgboostParameters;
  /** Of the whole model, rounds of `start` included. */
  readonly rounds: number;
  /** Scored after every round, by the last of its metrics. */
  readonly validation?: Matrix | undefined;
  /** Stop after as many rounds without a better validation score; in any case keep the rounds up to the best. */
  readonly earlyStoppingRounds?: number | undefined;
  /** An interrupted training to go on from. */
  readonly start?: TrainingState | undefined;
  readonly onRound?: ((round: TrainedRound) => void | Promise<void>) | undefined;
  readonly library?: XgboostLibrary | undefined;
  /** Looked at between rounds: aborted, training ends and keeps what it has. */
  readonly signal?: AbortSignal | undefined;
};

export type TrainingState = {
  /** JSON or UBJ. */
  readonly model: Uint8Array;
  /** Validation scores of its rounds; empty without a validation matrix. */
  readonly scores: readonly number[];
};

export type TrainedRound = {
  /** Rounds done, from 1. */
  readonly round: number;
  /** Of the validation matrix by metric, the last of which decides; empty without one. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The model so far; not to be disposed. */
  readonly booster: Booster;
};

export type Trained = {
  /** The caller's to dispose. */
  readonly booster: Booster;
  /** Validation scores by round; empty without a validation matrix. */
  readonly scores: readonly number[];
  readonly metric: string | undefined;
  readonly ended: "rounds" | "early" | "interrupted";
};

/** Of these more is better (`xgboost.callback.EarlyStopping`); of all others less. */
const maximised = /^(auc|aucpr|pre|map|ndcg)(@.*)?-?$/;

/**
 * The event loop turns between rounds, and is held during each.
 * @throws FlywheelError `xgboost_no_validation` for early stopping without a validation matrix; `xgboost_failed`
 */
export async function trainBooster(options: TrainOptions): Promise<Trained> {
  const { matrix, validation, parameters, start, library, earlyStoppingRounds } = options;
  if (earlyStoppingRounds !== undefined && !validation) {
    throw new FlywheelError("xgboost_no_validation", "early stopping needs a validation matrix");
  }
  const matrices = validation ? [matrix, validation] : [matrix];
  const booster = createBooster({ parameters, matrices, model: start?.model, library });
  try {
    return await keptRounds(booster, await runRounds(booster, options));
  } catch (thrown) {
    booster[Symbol.dispose]();
    throw thrown;
  }
}

/** `best`: index of the best round, where there is something to choose by. */
type Run = Omit<Trained, "booster"> & { readonly best: number | undefined };

async function runRounds(booster: Booster, options: TrainOptions): Promise<Run> {
  const { matrix, validation, rounds, start, earlyStoppingRounds, onRound, signal } = options;
  const stopping = createStopping(start?.scores ?? [], earlyStoppingRounds);
  const run = (ended: Run["ended"]): Run => ({ ...stopping.state(), ended });
  for (let round = booster.rounds; round < rounds; round++) {
    if (signal?.aborted) return run("interrupted");
    if (stopping.isDue()) return run("early");
    booster.update(matrix);
    const metrics = validation ? (booster.evaluate({ validation })["validation"] ?? {}) : {};
    if (validation) stopping.add(metrics);
    await onRound?.({ round: round + 1, metrics, booster });
    await setImmediate();
  }
  return run("rounds");
}

type Stopping = {
  /** @throws FlywheelError `xgboost_no_metric` */
  add(metrics: TrainedRound["metrics"]): void;
  isDue(): boolean;
  state(): Omit<Run, "ended">;
};

function createStopping(earlier: readonly number[], patience: number | undefined): Stopping {
  const scores = [...earlier];
  let metric: string | undefined;
  const best = (): number => {
    const better = metric !== undefined && maximised.test(metric) ? Math.max(...scores) : Math.min(...scores);
    return scores.indexOf(better);
  };
  return {
    add(metrics) {
      const [name, score] = lastOf(metrics);
      metric = name;
      scores.push(score);
    },
    isDue: () => patience !== undefined && metric !== undefined && scores.length - 1 - best() >= patience,
    state: () => ({ scores, metric, best: patience === undefined || scores.length === 0 ? undefined : best() }),
  };
}

function lastOf(metrics: TrainedRound["metrics"]): readonly [string, number] {
  const last = Object.entries(metrics).at(-1);
  if (last) return last;
  throw new FlywheelError("xgboost_no_metric", "a validation matrix was given, and no evaluation metric was computed");
}

/** Early stopping keeps the best; an interrupted run keeps every round, to go on from. */
async function keptRounds(booster: Booster, { best, ...run }: Run): Promise<Trained> {
  if (run.ended === "interrupted" || best === undefined || best + 1 === booster.rounds) return { ...run, booster };
  const kept = booster.slice(best + 1);
  booster[Symbol.dispose]();
  return { ...run, booster: kept };
}
