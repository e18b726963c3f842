/**
 * @file A linear student from texts: vocabulary, the strength of the penalty by what models say of rows that they have not
 * seen, and the model on every row. Fits are spread over threads.
 */

import type { Progress } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import { goldenSection } from "../../math/golden-section.ts";
import { logSoftmax } from "../../math/softmax.ts";
import type { SparseLogistic } from "../../math/sparse-logistic.ts";
import type { NgramOptions } from "../../text/options.ts";
import type { Vocabulary } from "../../text/vocabulary.ts";
import { FOLDS } from "../folds.ts";
import { type FitThread, startFitThread } from "./fit-thread.ts";
import type { LinearFitResult, LinearProblem } from "./linear-work.ts";

export type LinearData = {
  readonly texts: readonly string[];
  readonly k: number;
  /** Soft, `[texts, k]`, rows summing to 1. */
  readonly targets: Float32Array;
  /** Indices of the values in force, for accuracy. `[texts]` */
  readonly classIndices: Int32Array;
  /** `[texts]` */
  readonly weights: Float64Array;
  /** Fold of each text, in [0, `FOLDS`). `[texts]` */
  readonly folds: Int32Array;
};

export type LinearRecipe = {
  readonly ngrams: NgramOptions;
  /** Inverse strengths of the penalty to choose among, rising: scikit-learn's C. */
  readonly c: readonly number[];
};

/** What one strength of the penalty came to on rows that its models had not seen. */
export type Trial = {
  readonly c: number;
  /** Mean log loss, nats, at the temperature that suits it best: the calibrator will set that anyway. Lower is better. */
  readonly loss: number;
  readonly accuracy: number;
  readonly rows: number;
};

export type LinearStudent = {
  readonly vocabulary: Vocabulary;
  readonly model: SparseLogistic;
  /** `[texts, k]`: each by a model, and by weights of n-grams, that had not seen the text; 0 in folds not fitted. */
  readonly outOfFold: Float32Array;
  /** By fold, where they are kept: each was fitted without it. */
  readonly members: readonly SparseLogistic[];
  readonly trials: readonly Trial[];
  /** The one chosen. */
  readonly c: number;
};

export type FitLinearOptions = {
  readonly threads: number;
  /** Whether the models without a fold are wanted as well. */
  readonly keepsFolds?: boolean | undefined;
  /** Otherwise only the folds that choose C are fitted: none where there is one C. Default true. */
  readonly allFolds?: boolean | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Enough rows to tell two strengths apart: no more folds than hold as many are fitted for the choice. */
const ROWS_TO_CHOOSE = 2000;

/** @throws FlywheelError `empty_vocabulary`, `text_fit_failed`; `training_interrupted` (retryable) when stopped */
export async function fitLinear(
  data: LinearData,
  recipe: LinearRecipe,
  options: FitLinearOptions,
): Promise<LinearStudent> {
  const { threads, signal } = options;
  await using stack = new AsyncDisposableStack();
  const pool = Array.from({ length: Math.min(threads, FOLDS + 1) }, () => stack.use(startFitThread()));
  return await untilStopped(fitWith(pool, { data, recipe, options }), signal);
}

/** Threads end as their owner goes out of scope: to stop is to stop waiting. */
async function untilStopped<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(interrupted(signal?.reason));
  work.catch(() => {}); // where it was stopped, that its threads have ended is no news
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function interrupted(cause: unknown): FlywheelError {
  return new FlywheelError("training_interrupted", "training on texts was stopped", {
    hint: "run the same command again: it starts over",
    retryable: true,
    cause,
  });
}

type Work = { readonly data: LinearData; readonly recipe: LinearRecipe; readonly options: FitLinearOptions };

async function fitWith(pool: readonly FitThread[], { data, recipe, options }: Work): Promise<LinearStudent> {
  const { progress, keepsFolds, allFolds = true } = options;
  const reads = 2 * data.texts.length;
  const onRead = (done: number): void => progress?.({ stage: "n-grams", done, total: reads });
  const { vocabulary, counts } = await pool[0]!.learn(data.texts, recipe.ngrams, onRead);
  onRead(reads);
  const { documentFrequency } = vocabulary;
  const { minDocuments } = recipe.ngrams;
  const { k, targets, weights, folds } = data;
  const problem: LinearProblem = { counts, documentFrequency, minDocuments, k, targets, weights, folds, keepsFolds };
  await Promise.all(pool.map((thread) => thread.prepare(problem)));
  const fits = fitCounter(progress);
  const chosen = await choose(pool, { data, recipe, fits, allFolds });
  const { model, byFold } = await finish(pool, { data, chosen, fits, allFolds });
  const outOfFold = inOrderOfRows(data, byFold);
  const members = [...byFold].sort(([one], [other]) => one - other).flatMap(([, fitted]) => fitted.model ?? []);
  return { vocabulary, model, outOfFold, members, trials: chosen.trials, c: chosen.c };
}

/** Tells of each fit that is done, and what the last trial came to. */
type FitCounter = {
  /** So many more will be asked for. */
  expect(count: number): void;
  done(): void;
  tried(trial: Trial): void;
};

function fitCounter(progress: Progress | undefined): FitCounter {
  let [done, total] = [0, 0];
  let details: Readonly<Record<string, string>> = {};
  const tell = (): void => progress?.({ stage: "train", done, total, details });
  return {
    expect(count) {
      total += count;
      tell();
    },
    done() {
      done += 1;
      tell();
    },
    tried({ c, loss, accuracy }) {
      details = { C: String(c), loss: loss.toFixed(3), accuracy: accuracy.toFixed(3) };
      tell();
    },
  };
}

type Chosen = {
  readonly c: number;
  readonly trials: readonly Trial[];
  /** Fits at `c` by fold, of the folds that chose. */
  readonly byFold: ReadonlyMap<number, LinearFitResult>;
};

type Fitting = { readonly fits: FitCounter; readonly allFolds: boolean };

/** Weaker and weaker penalties, until one is worse than the last: the loss over C has one dip. */
async function choose(
  pool: readonly FitThread[],
  { data, recipe, fits, allFolds }: Pick<Work, "data" | "recipe"> & Fitting,
): Promise<Chosen> {
  const [first, ...others] = recipe.c;
  if (first !== undefined && others.length === 0 && !allFolds) return { c: first, trials: [], byFold: new Map() };
  const folds = choosingFolds(data);
  const trials: Trial[] = [];
  let best: { readonly trial: Trial; readonly byFold: Chosen["byFold"] } | undefined;
  for (const c of recipe.c) {
    const results = await spread(pool, folds, { fits, c });
    const byFold = new Map(folds.map((fold, index) => [fold, results[index]!]));
    const trial = trialOf(data, byFold, c);
    trials.push(trial);
    fits.tried(trial);
    if (best && trial.loss >= best.trial.loss) break;
    best = { trial, byFold };
  }
  if (!best) throw new RangeError("there is no C to choose");
  return { c: best.trial.c, trials, byFold: best.byFold };
}

function choosingFolds({ folds }: LinearData): readonly number[] {
  const all = Array.from({ length: FOLDS }, (_, fold) => fold);
  const sizes = all.map((fold) => folds.reduce((count, own) => count + Number(own === fold), 0));
  const used = all.filter((fold) => sizes[fold]! > 0);
  let rows = 0;
  const enough = used.findIndex((fold) => {
    rows += sizes[fold]!;
    return rows >= ROWS_TO_CHOOSE;
  });
  return enough < 0 ? used : used.slice(0, enough + 1);
}

/** The folds that did not choose, and the model on every row, which takes longest and so begins first. */
async function finish(
  pool: readonly FitThread[],
  { data, chosen, fits, allFolds }: Pick<Work, "data"> & Fitting & { readonly chosen: Chosen },
): Promise<{ readonly model: SparseLogistic; readonly byFold: Chosen["byFold"] }> {
  const { c, byFold } = chosen;
  const missing = allFolds ? [...new Set(data.folds)].filter((fold) => !byFold.has(fold)) : [];
  const [whole, ...others] = await spread(pool, [undefined, ...missing], { fits, c });
  const all = new Map([...byFold, ...missing.map((fold, index) => [fold, others[index]!] as const)]);
  return { model: whole!.model!, byFold: all };
}

/** Dealt out in turn; each thread does its own in order. A fold stays with the thread that has its features. */
async function spread(
  pool: readonly FitThread[],
  folds: readonly (number | undefined)[],
  { fits, c }: { readonly fits: FitCounter; readonly c: number },
): Promise<readonly LinearFitResult[]> {
  fits.expect(folds.length);
  return await Promise.all(
    folds.map(async (fold, index) => {
      const result = await pool[index % pool.length]!.fit({ fold, c });
      fits.done();
      return result;
    }),
  );
}

/** Rows of folds that have not been fitted stay 0. */
function inOrderOfRows({ folds, k }: LinearData, byFold: Chosen["byFold"]): Float32Array {
  const logits = new Float32Array(folds.length * k);
  const taken = new Map<number, number>();
  folds.forEach((fold, row) => {
    const position = taken.get(fold) ?? 0;
    taken.set(fold, position + 1);
    const own = byFold.get(fold)?.heldOut;
    if (own) logits.set(own.subarray(position * k, (position + 1) * k), row * k);
  });
  return logits;
}

function trialOf(data: LinearData, byFold: Chosen["byFold"], c: number): Trial {
  const { k, folds, targets, classIndices, weights } = data;
  const rows = [...folds.keys()].filter((row) => byFold.has(folds[row]!));
  const total = rows.reduce((sum, row) => sum + weights[row]!, 0);
  const whole = inOrderOfRows(data, byFold);
  const logits = Float32Array.from(rows.flatMap((row) => [...whole.subarray(row * k, (row + 1) * k)]));
  const lossAt = (temperature: number): number => {
    const logShares = logSoftmax(logits, k, temperature);
    return rows.reduce((sum, row, position) => {
      let loss = 0;
      for (let c = 0; c < k; c++) loss -= targets[row * k + c]! * logShares[position * k + c]!;
      return sum + (weights[row]! / total) * loss;
    }, 0);
  };
  // On a logarithmic scale, to a hundredth: the dip is flat.
  const range = { low: Math.log(0.1), high: Math.log(10), tolerance: 0.01 };
  const { value: loss } = goldenSection((logarithm) => lossAt(Math.exp(logarithm)), range);
  const right = rows.filter((row, position) => argMax(logits, position * k, k) === classIndices[row]).length;
  return { c, loss, accuracy: right / rows.length, rows: rows.length };
}

function argMax(values: Float32Array, from: number, k: number): number {
  let best = 0;
  for (let c = 1; c < k; c++) if (values[from + c]! > values[from + best]!) best = c;
  return best;
}
