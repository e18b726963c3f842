/** @file From vectors to trees: boosting with early stopping on calibrate rows, importances, and what is said out of fold. */

import type { XgboostOptions } from "../../task.ts";
import { type Booster, createBooster } from "../../xgboost/booster.ts";
import type { Matrix } from "../../xgboost/matrix.ts";
import { type TrainedRound, trainBooster } from "../../xgboost/train.ts";
import type { TrainedStudent } from "../trainer.ts";
import { type CrossValidated, crossValidate } from "./cross-validate.ts";
import { namesOf } from "./feature-schema.ts";
import { plainMatrix, trainingMatrix } from "./training-table.ts";
import { type FittedRounds, readCheckpoint, writeCheckpoint } from "./tree-checkpoint.ts";
import { type FitTreesOptions, interrupted, parametersOf } from "./tree-options.ts";

export type Importances = Readonly<Record<string, number>>;

export type FittedTrees = CrossValidated & {
  /** XGBoost's own format. */
  readonly ubj: Uint8Array;
  readonly rounds: number;
  /** By feature: mean gain of its splits, and mean absolute SHAP value, nats. */
  readonly gain: Importances;
  readonly shap: Importances;
  readonly history: TrainedStudent["history"];
};

/** @throws FlywheelError `training_interrupted` where the signal fired between rounds; the rounds are kept */
export async function fitTrees(options: FitTreesOptions): Promise<FittedTrees> {
  const { ubj, history } = await wholeModel(options);
  using booster = createBooster({ model: ubj });
  const validated = await crossValidate(options, booster.rounds);
  const { rounds } = booster;
  return {
    ubj,
    rounds,
    gain: booster.gain(),
    shap: meanShap(options, booster),
    ...validated,
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
  const isText = features.flatMap((feature) => namesOf(feature).map(() => feature.type === "text"));
  return Object.fromEntries(
    names
      .map((name, index) => [name, sums[index]! / cells] as const)
      // Thousands of n-grams that no tree looks at are no news; a column that none looks at is.
      .filter(([, mean], index) => mean > 0 || !isText[index]),
  );
}

async function wholeModel(options: FitTreesOptions): Promise<FittedRounds> {
  const { train, validation, features, threads } = options;
  const earlier = await readCheckpoint(options.workFolder);
  if (earlier?.isOver) return earlier;
  using matrix = trainingMatrix({ ...train, features, threads });
  using held = validation.rows.length > 0 ? trainingMatrix({ ...validation, features, threads }) : undefined;
  const start = canContinue(options.xgboost) ? earlier : undefined;
  const whole = await boost(options, { matrix, held, start });
  await writeCheckpoint(options.workFolder, whole);
  if (whole.isOver) return whole;
  throw interrupted(`after ${whole.history.length} rounds`, options.signal);
}

/** XGBoost's draws are kept by no saved model: a training with any starts again, to end in the same model all the same. */
function canContinue(xgboost: XgboostOptions): boolean {
  const { subsample, colsample_bytree, colsample_bylevel, colsample_bynode } = xgboost;
  return [subsample, colsample_bytree, colsample_bylevel, colsample_bynode].every((share = 1) => share === 1);
}

type Boost = { readonly matrix: Matrix; readonly held: Matrix | undefined; readonly start: FittedRounds | undefined };

async function boost(options: FitTreesOptions, { matrix, held, start }: Boost): Promise<FittedRounds> {
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
function recordOf({ round, metrics, booster }: TrainedRound, matrix: Matrix): FittedRounds["history"][number] {
  const shown = Object.keys(metrics).length > 0 ? metrics : (booster.evaluate({ train: matrix })["train"] ?? {});
  const of = (...names: string[]): number => names.flatMap((name) => shown[name] ?? [])[0] ?? Number.NaN;
  return { epoch: round - 1, loss: of("logloss", "mlogloss"), accuracy: 1 - of("error", "merror") };
}

function tell({ progress, xgboost }: FitTreesOptions, done: number, history: FittedRounds["history"]): void {
  const loss = history.at(-1)?.loss.toFixed(4) ?? "";
  progress?.({ stage: "train", done, total: xgboost.num_boost_round, details: { loss } });
}
