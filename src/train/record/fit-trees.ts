/**
 * @file From vectors to trees: boosting with early stopping on calibrate rows, then five models of as many rounds, each
 * without a fold, for what is said out of fold. The number of rounds is the only thing these owe to the calibrate split.
 */

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Progress } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import { createRng } from "../../math/random.ts";
import type { XgboostOptions } from "../../task.ts";
import { type Booster, createBooster } from "../../xgboost/booster.ts";
import type { Matrix } from "../../xgboost/matrix.ts";
import type { XgboostParameters } from "../../xgboost/parameters.ts";
import { type TrainedRound, trainBooster } from "../../xgboost/train.ts";
import { FOLDS, stratifiedFolds } from "../folds.ts";
import type { TrainedStudent } from "../trainer.ts";
import type { TrainingRow } from "../training-rows.ts";
import { type Feature, namesOf } from "./feature-schema.ts";
import { plainMatrix, trainingMatrix, type Vectors } from "./training-table.ts";

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
  readonly workFolder: string;
  readonly threads: number;
  readonly seed: string;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type Importances = Readonly<Record<string, number>>;

export type FittedTrees = {
  /** XGBoost's own formats. */
  readonly ubj: Uint8Array;
  readonly json: Uint8Array;
  readonly rounds: number;
  /** By feature: mean gain of its splits, and mean absolute SHAP value, nats. */
  readonly gain: Importances;
  readonly shap: Importances;
  /** `[rows, classes]`, nats. */
  readonly outOfFold: Float32Array;
  readonly history: TrainedStudent["history"];
};

/** @throws FlywheelError `training_interrupted` where the signal fired between rounds; the rounds are kept */
export async function fitTrees(options: FitTreesOptions): Promise<FittedTrees> {
  const { ubj, history } = await wholeModel(options);
  using booster = createBooster({ model: ubj });
  const outOfFold = await outOfFoldLogits(options, booster.rounds);
  const { rounds } = booster;
  return {
    ubj,
    json: booster.save("json"),
    rounds,
    gain: booster.gain(),
    shap: meanShap(options, booster),
    outOfFold,
    history,
  };
}

/** Contributions computed for a mean: one for each class of a row. Their cost grows with all three of rows, classes, trees. */
const SHAP_CELLS = 2000;
const FEWEST_SHAP_ROWS = 50;

/** Over the first rows, whose ids are hashes: as good as a random sample. */
function meanShap({ train, features, threads }: FitTreesOptions, booster: Booster): Importances {
  const count = Math.min(train.rows.length, Math.max(FEWEST_SHAP_ROWS, Math.floor(SHAP_CELLS / train.classes)));
  const among = Array.from({ length: count }, (_, index) => index);
  using matrix = plainMatrix({ vectors: train.vectors, features, among, threads });
  const { values } = booster.predict(matrix, "contributions");
  const names = features.flatMap(namesOf);
  const width = names.length + 1;
  const cells = values.length / width;
  const sums = new Float64Array(width);
  for (const [at, value] of values.entries()) sums[at % width]! += Math.abs(value);
  return Object.fromEntries(names.map((name, index) => [name, sums[index]! / cells]));
}

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
  const unknown = Object.keys(wanted).find((name) => !names.includes(name));
  if (unknown === undefined) return names.map((name) => wanted[name] ?? 0);
  throw new FlywheelError("student_bad_option", `monotone_constraints names "${unknown}", which is no feature`, {
    hint: `the features are ${names.join(", ")}`,
  });
}

// ── the whole ───────────────────────────────────────────────────────────────────────────────────────────────────────

const Round = z.object({ epoch: z.number(), loss: z.number(), accuracy: z.number() });
const Checkpoint = z.object({ isOver: z.boolean(), history: z.array(Round), ubj: z.base64() });
type Whole = Omit<z.output<typeof Checkpoint>, "ubj"> & { readonly ubj: Uint8Array };

async function wholeModel(options: FitTreesOptions): Promise<Whole> {
  const { train, validation, features, threads } = options;
  const earlier = await readCheckpoint(options);
  if (earlier?.isOver) return earlier;
  using matrix = trainingMatrix({ ...train, features, threads });
  using held = validation.rows.length > 0 ? trainingMatrix({ ...validation, features, threads }) : undefined;
  const start = canContinue(options.xgboost) ? earlier : undefined;
  const whole = await boost(options, { matrix, held, start });
  await writeCheckpoint(options, whole);
  if (whole.isOver) return whole;
  throw interrupted(`after ${whole.history.length} rounds`, options.signal);
}

/** XGBoost's draws are kept by no saved model: a training with any starts again, to end in the same model all the same. */
function canContinue(xgboost: XgboostOptions): boolean {
  const { subsample, colsample_bytree, colsample_bylevel, colsample_bynode } = xgboost;
  return [subsample, colsample_bytree, colsample_bylevel, colsample_bynode].every((share = 1) => share === 1);
}

type Boost = { readonly matrix: Matrix; readonly held: Matrix | undefined; readonly start: Whole | undefined };

async function boost(options: FitTreesOptions, { matrix, held, start }: Boost): Promise<Whole> {
  const { xgboost, signal } = options;
  const history = [...(start?.history ?? [])];
  const patience = xgboost.early_stopping_rounds;
  const { booster, ended } = await trainBooster({
    matrix,
    validation: held,
    parameters: parametersOf(options),
    rounds: xgboost.num_boost_round,
    earlyStoppingRounds: held && patience > 0 ? patience : undefined,
    start: start && { model: start.ubj, scores: held ? history.map(({ loss }) => loss) : [] },
    onRound: (round) => {
      history.push(recordOf(round, matrix));
      tell(options, round.round, history);
    },
    signal,
  });
  using kept = booster;
  return { isOver: ended !== "interrupted", history, ubj: kept.save("ubj") };
}

/** On calibrate rows where there are any, else on those that train. */
function recordOf({ round, metrics, booster }: TrainedRound, matrix: Matrix): Whole["history"][number] {
  const shown = Object.keys(metrics).length > 0 ? metrics : (booster.evaluate({ train: matrix })["train"] ?? {});
  const of = (...names: string[]): number => names.flatMap((name) => shown[name] ?? [])[0] ?? Number.NaN;
  return { epoch: round - 1, loss: of("logloss", "mlogloss"), accuracy: 1 - of("error", "merror") };
}

function tell({ progress, xgboost }: FitTreesOptions, done: number, history: Whole["history"]): void {
  const loss = history.at(-1)?.loss.toFixed(4) ?? "";
  progress?.({ stage: "train", done, total: xgboost.num_boost_round, details: { loss } });
}

function interrupted(where: string, signal: AbortSignal | undefined): FlywheelError {
  return new FlywheelError("training_interrupted", `training was stopped ${where}`, {
    hint: "run the same command again: it continues from there",
    retryable: true,
    cause: signal?.reason,
  });
}

const checkpointFile = "checkpoint.json";

async function writeCheckpoint({ workFolder }: FitTreesOptions, { ubj, ...whole }: Whole): Promise<void> {
  await mkdir(workFolder, { recursive: true });
  const temporary = join(workFolder, `${checkpointFile}.tmp`);
  await writeFile(temporary, JSON.stringify({ ...whole, ubj: Buffer.from(ubj).toString("base64") }));
  await rename(temporary, join(workFolder, checkpointFile));
}

async function readCheckpoint({ workFolder }: FitTreesOptions): Promise<Whole | undefined> {
  try {
    const { ubj, ...whole } = Checkpoint.parse(JSON.parse(await readFile(join(workFolder, checkpointFile), "utf8")));
    return { ...whole, ubj: Buffer.from(ubj, "base64") };
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}

// ── out of fold ─────────────────────────────────────────────────────────────────────────────────────────────────────

async function outOfFoldLogits(options: FitTreesOptions, rounds: number): Promise<Float32Array> {
  const { rows, classes } = options.train;
  const folds = stratifiedFolds(rows, options.seed);
  const logits = new Float32Array(rows.length * classes);
  for (let fold = 0; fold < FOLDS; fold++) {
    const held = rows
      .keys()
      .filter((row) => folds[row] === fold)
      .toArray();
    const rest = rows
      .keys()
      .filter((row) => folds[row] !== fold)
      .toArray();
    if (held.length === 0 || rest.length === 0) continue;
    using booster = await withoutFold(options, { rest, rounds });
    writeLogits(logits, held, predict(options, booster, held));
    options.progress?.({ stage: "cross-validate", done: fold + 1, total: FOLDS });
  }
  return logits;
}

type Fold = { readonly rest: readonly number[]; readonly rounds: number };

async function withoutFold(options: FitTreesOptions, { rest, rounds }: Fold): Promise<Booster> {
  const { train, features, threads, signal } = options;
  using matrix = trainingMatrix({ ...train, features, threads, among: rest });
  const { booster, ended } = await trainBooster({ matrix, parameters: parametersOf(options), rounds, signal });
  if (ended !== "interrupted") return booster;
  booster[Symbol.dispose]();
  throw interrupted("while cross-validating", signal);
}

function predict(options: FitTreesOptions, booster: Booster, among: readonly number[]): Float32Array {
  const { train, features, threads } = options;
  using matrix = plainMatrix({ vectors: train.vectors, features, among, threads });
  return twoLogits(booster.predict(matrix, "margin").values, train.classes);
}

/** Of two classes XGBoost gives one margin: the logits are 0 and that. */
const twoLogits = (margins: Float32Array, classes: number): Float32Array =>
  classes > 2
    ? margins
    : Float32Array.from({ length: 2 * margins.length }, (_, at) => (at % 2 === 0 ? 0 : margins[at >> 1]!));

function writeLogits(logits: Float32Array, rows: readonly number[], values: Float32Array): void {
  const classes = values.length / rows.length;
  for (const [at, row] of rows.entries()) logits.set(values.subarray(at * classes, (at + 1) * classes), row * classes);
}
