/** @file A saved classifier as flat trees. The file alone decides: the library is asked for nothing. */

import { badModel } from "./saved-format.ts";
import {
  logistic,
  type Numbers,
  readSaved,
  type SavedCategories,
  type SavedModel,
  unsupported,
} from "./saved-model.ts";
import { nodesOf, type TreeNode } from "./saved-tree.ts";

export type { TreeNode } from "./saved-tree.ts";

/** Nodes refer to each other by index; the first is the root. */
export type BoostedTree = { readonly group: number; readonly nodes: readonly TreeNode[] };

export type TreeModel = {
  /** Of the XGBoost that saved it: `3.4.1`. */
  readonly version: string;
  readonly objective: string;
  readonly features: number;
  readonly featureNames: readonly string[];
  readonly featureTypes: readonly string[];
  /** By column, where the file holds them: the category that each number stands for. */
  readonly categories: ReadonlyMap<number, readonly (string | number)[]>;
  /** Columns whose names of categories are damaged in the file; the trees, which know numbers alone, are not. */
  readonly damagedCategories: readonly number[];
  /** 1 for two classes, whose margin is of the second. */
  readonly groups: number;
  /** `[groups]` margins that every row starts from, as float32. */
  readonly base: Float32Array;
  /** In the order in which they are summed. */
  readonly trees: readonly BoostedTree[];
  /** How many of `trees` the first rounds have: `roundEnds[0]` the first, `roundEnds[1]` the first two. */
  readonly roundEnds: readonly number[];
  /** Rounds up to the best, where early stopping has found one (`best_iteration`). */
  readonly bestRounds: number | undefined;
};

/**
 * Reads a classifier of two or more classes.
 * @throws FlywheelError `xgboost_bad_model`; `xgboost_unsupported_model` for whatever is no classifier by trees, by its name
 */
export function parseTreeModel(saved: Uint8Array): TreeModel {
  const model = readSaved(saved);
  const { objective, feature_names, feature_types } = model;
  const features = whole(model.learner_model_param.num_feature, "num_feature");
  const groups = groupsOf(model);
  const trees = treesOf(model, { features, groups });
  const roundEnds = roundEndsOf(model, groups);
  checkNames(model, features);
  return {
    version: model.version.join("."),
    objective,
    features,
    featureNames: feature_names,
    featureTypes: feature_types,
    ...categoriesOf(model),
    groups,
    base: baseMargins(model, groups),
    trees,
    roundEnds,
    bestRounds: bestRoundsOf(model),
  };
}

function whole(text: string, name: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw badModel(`its ${name} is "${text}"`);
}

function groupsOf({ objective, learner_model_param }: SavedModel): number {
  const classes = whole(learner_model_param.num_class, "num_class");
  const isLogistic = logistic.includes(objective);
  if (isLogistic ? classes <= 1 : classes >= 2) return isLogistic ? 1 : classes;
  throw badModel(`its objective is "${objective}" and its num_class ${classes}`);
}

function checkNames({ feature_names, feature_types }: SavedModel, features: number): void {
  for (const [what, { length }] of Object.entries({ feature_names, feature_types })) {
    if (length !== 0 && length !== features) throw badModel(`it has ${features} columns and ${length} ${what}`);
  }
}

type Shape = { readonly features: number; readonly groups: number };

function treesOf({ model, treeWeights }: SavedModel, { features, groups }: Shape): readonly BoostedTree[] {
  const { trees, tree_info, gbtree_model_param } = model;
  const count = whole(gbtree_model_param.num_trees, "num_trees");
  if (trees.length !== count || tree_info.length !== count)
    throw badModel(`it holds ${trees.length} of ${count} trees`);
  if (treeWeights && treeWeights.length > count) throw badModel("it has more weights (weight_drop) than trees");
  return trees.map((saved, tree) => {
    const group = tree_info[tree]!;
    if (!Number.isInteger(group) || group < 0 || group >= groups) throw badModel(`tree ${tree} is of output ${group}`);
    return { group, nodes: nodesOf(saved, { tree, features, weight: weightOf(treeWeights, tree) }) };
  });
}

/** Trees after the last weight count in full: a training without DART may go on from one with it. */
function weightOf(weights: Numbers | undefined, tree: number): number {
  const weight = weights?.[tree] ?? 1;
  if (Number.isFinite(weight)) return weight;
  throw badModel(`the weight of tree ${tree} (weight_drop) is ${weight}`);
}

/** Releases before 2.0 do not say where a round ends: each has as many trees as outputs, times `num_parallel_tree`. */
function roundEndsOf({ model }: SavedModel, groups: number): readonly number[] {
  const count = model.trees.length;
  const starts = model.iteration_indptr ? Array.from(model.iteration_indptr) : undefined;
  const perRound = groups * whole(model.gbtree_model_param.num_parallel_tree, "num_parallel_tree");
  const ends = starts?.slice(1) ?? Array.from({ length: Math.ceil(count / perRound) }, (_, i) => (i + 1) * perRound);
  const isRising = ends.every((end, round) => end >= (ends[round - 1] ?? 0));
  if ((starts?.[0] ?? 0) === 0 && (ends.at(-1) ?? 0) === count && isRising) return ends;
  throw badModel(`its ${count} trees do not make up its rounds`);
}

function bestRoundsOf({ attributes }: SavedModel): number | undefined {
  const best = attributes["best_iteration"];
  if (best === "-1") return 0; // what 1.7 says of a training without rounds
  return best === undefined ? undefined : whole(best, "best_iteration") + 1;
}

/** Since 3.2 an intercept is kept this far from 0 and 1 (`kRtEps`). */
const CLOSEST = Math.fround(1e-6);

/**
 * Before 3.1 one number, `5E-1`; since then one for each group, `[2.2E-1,4.9E-1]`. Of `binary:logistic` a probability, of all
 * others margins.
 */
function baseMargins({ learner_model_param, objective, version }: SavedModel, groups: number): Float32Array {
  const text = learner_model_param.base_score;
  const scores = text
    .replace(/^\[|\]$/g, "")
    .split(",")
    .map(Number);
  if (scores.length !== 1 && scores.length !== groups) throw badModel(`its base_score is ${text} of ${groups} outputs`);
  const base = Float32Array.from({ length: groups }, (_, group) => scores[scores.length === 1 ? 0 : group]!);
  const margins = objective === "binary:logistic" ? base.map((p) => logit(p, version)) : base;
  if (margins.every(Number.isFinite)) return margins;
  throw unsupported(`its base_score is "${text}"`);
}

function logit(p: number, [major = 0, minor = 0]: readonly number[]): number {
  const isBounded = major > 3 || (major === 3 && minor >= 2);
  const bounded = isBounded ? Math.min(Math.max(p, CLOSEST), Math.fround(1 - CLOSEST)) : p;
  return -Math.log(Math.fround(1 / bounded) - 1);
}

function categoriesOf({ model, version }: SavedModel): Pick<TreeModel, "categories" | "damagedCategories"> {
  const columns = model.cats.enc.flatMap((column, index) => (column.values.length > 0 ? [{ column, index }] : []));
  const isDamaged = ({ column }: { readonly column: SavedCategories }): boolean => isCutWrongly(column, version);
  return {
    categories: new Map(columns.filter((one) => !isDamaged(one)).map(({ column, index }) => [index, valuesOf(column)])),
    damagedCategories: columns.filter(isDamaged).map(({ index }) => index),
  };
}

/** Before 3.4 the Python package counted characters where the file counts bytes: names are cut wrongly, the last are lost. */
function isCutWrongly({ offsets, values }: SavedCategories, [major = 0, minor = 0]: readonly number[]): boolean {
  const isAscii = Array.from(values).every((byte) => byte >= 0);
  return offsets !== undefined && !isAscii && (major < 3 || (major === 3 && minor < 4));
}

function valuesOf({ offsets, values }: SavedCategories): readonly (string | number)[] {
  if (!offsets) return Array.from(values);
  const bytes = Uint8Array.from(values);
  const text = (from: number, to: number): string => new TextDecoder().decode(bytes.subarray(from, to));
  return Array.from({ length: offsets.length - 1 }, (_, at) => text(offsets[at]!, offsets[at + 1]!));
}
