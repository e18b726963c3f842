/**
 * @file Models that any XGBoost has saved, as ONNX. The bytes given are read here and by nothing else: XGBoost's library, asked to
 * load and save them again, changes what another release has written, or ends the process.
 */

import { FlywheelError } from "../errors.ts";
import { writeOnnx } from "../onnx/proto.ts";
import { parseTreeModel, type TreeModel } from "./tree-model.ts";
import { treesToOnnx } from "./trees-to-onnx.ts";

export type XgboostToOnnxOptions = {
  /**
   * `best`, the default: up to the best round where the training was stopped early (`best_iteration`), as XGBoost's own
   * classifiers predict; else, and with `all`, every round, as `Booster.predict` does. A number: the first so many.
   */
  readonly rounds?: "best" | "all" | number | undefined;
};

export type XgboostDescription = {
  /** Of the XGBoost that saved it: `3.4.1`. */
  readonly version: string;
  readonly objective: string;
  readonly classes: number;
  /** Columns. Names and types are empty where the file has none. */
  readonly features: number;
  readonly featureNames: readonly string[];
  readonly featureTypes: readonly string[];
  /** By column index, where the file holds them: the category that each number in `features` stands for. */
  readonly categories: ReadonlyMap<number, readonly (string | number)[]>;
  /** Columns whose categories the file names, and wrongly: 3.1 to 3.3 cut names that are not ASCII. Their numbers are right. */
  readonly damagedCategories: readonly number[];
  readonly rounds: number;
  /** What `rounds: "best"` writes. */
  readonly bestRounds: number;
};

/**
 * What a saved classifier is, and how many of its rounds are converted.
 * @throws FlywheelError as `xgboostToOnnx`
 */
export function describeXgboost(saved: Uint8Array): XgboostDescription {
  const { trees: _trees, base: _base, roundEnds, groups, ...model } = parseTreeModel(saved);
  const rounds = roundEnds.length;
  return { ...model, classes: Math.max(2, groups), rounds, bestRounds: model.bestRounds ?? rounds };
}

/**
 * From JSON or UBJ (`Booster.save_model`) to the bytes of an ONNX file: `features` `[N, features]` float32, NaN where missing,
 * to `logits` `[N, classes]`; of two classes these are 0 and XGBoost's margin. The file's metadata say which rounds it has, what its
 * columns are called and what their categories stand for. A warning says so where rounds after the best are left out by default.
 * @throws FlywheelError `xgboost_bad_model`, `xgboost_unsupported_model` for what is no classifier by trees,
 *   `xgboost_bad_rounds`
 */
export function xgboostToOnnx(saved: Uint8Array, options: XgboostToOnnxOptions = {}): Uint8Array {
  const model = parseTreeModel(saved);
  const kept = keptRounds(model, options);
  const all = model.roundEnds.length;
  if (options.rounds === undefined && kept < all) warnOfRounds(kept, all);
  const { metadata, ...converted } = treesToOnnx(firstRounds(model, kept));
  return writeOnnx({ ...converted, metadata: { ...metadata, ...describing(model, kept) } });
}

function keptRounds({ roundEnds, bestRounds }: TreeModel, { rounds = "best" }: XgboostToOnnxOptions): number {
  const all = roundEnds.length;
  const kept = rounds === "all" ? all : rounds === "best" ? (bestRounds ?? all) : rounds;
  if (Number.isInteger(kept) && kept >= 0 && kept <= all && (kept > 0 || all === 0)) return kept;
  const what = rounds === "best" ? `its best_iteration is ${kept - 1}` : `${kept} are asked for`;
  throw new FlywheelError("xgboost_bad_rounds", `the model has ${all} rounds, and ${what}`, {
    hint: `give rounds: "all", or a whole number from 1 to ${all}`,
  });
}

function firstRounds(model: TreeModel, rounds: number): TreeModel {
  return { ...model, trees: model.trees.slice(0, model.roundEnds[rounds - 1] ?? 0) };
}

function warnOfRounds(kept: number, all: number): void {
  process.emitWarning(
    `this XGBoost model was stopped early: rounds 1 to ${kept} of ${all} are converted (best_iteration), as its classifier ` +
      `predicts; rounds: "all" converts every round`,
    { code: "FLYWHEEL_XGBOOST_ROUNDS" },
  );
}

function describing(model: TreeModel, rounds: number): Readonly<Record<string, string>> {
  const { version, roundEnds, featureNames, featureTypes, categories } = model;
  return {
    "xgboost.version": version,
    "xgboost.rounds": `${rounds} of ${roundEnds.length}`,
    ...(featureNames.length > 0 && { "xgboost.feature_names": JSON.stringify(featureNames) }),
    ...(featureTypes.length > 0 && { "xgboost.feature_types": JSON.stringify(featureTypes) }),
    ...(categories.size > 0 && { "xgboost.categories": JSON.stringify(Object.fromEntries(categories)) }),
  };
}
