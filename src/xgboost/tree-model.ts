/**
 * @file What XGBoost's JSON or UBJ says of a model, as flat trees. Written by releases 1.6 to 3.2, which differ in how they write
 * the intercept; any other field is the same in all of them.
 *
 * Source: doc/model.schema and src/tree/tree_model.cc of XGBoost.
 */

import { z } from "zod";
import { FlywheelError, messageOf } from "../errors.ts";
import { isUbj, parseUbj } from "./ubjson.ts";

type Numbers = ArrayLike<number>;

const isNumbers = (value: unknown): value is Numbers =>
  Array.isArray(value)
    ? value.every((each) => typeof each === "number")
    : ArrayBuffer.isView(value) && !(value instanceof DataView);
/** Lists in JSON, typed arrays in UBJ. */
const numbers = z.custom<Numbers>(isNumbers, "expected numbers");

const Tree = z.object({
  left_children: numbers,
  right_children: numbers,
  split_indices: numbers,
  /** A leaf's value where the node is one; nothing, in older releases, where the split is by categories. */
  split_conditions: z.union([numbers, z.array(z.number().nullable())]),
  /** 1 for a set of categories. */
  split_type: numbers.optional(),
  default_left: z.union([numbers, z.array(z.union([z.number(), z.boolean()]))]),
  categories: numbers.default(() => []),
  categories_nodes: numbers.default(() => []),
  categories_segments: numbers.default(() => []),
  categories_sizes: numbers.default(() => []),
  tree_param: z.object({ size_leaf_vector: z.string().optional() }),
});
type Tree = z.output<typeof Tree>;

const ModelJson = z.object({
  learner: z.object({
    gradient_booster: z.object({
      name: z.string(),
      model: z.object({ tree_info: numbers, trees: z.array(Tree) }).optional(),
    }),
    learner_model_param: z.object({ base_score: z.string(), num_class: z.string(), num_feature: z.string() }),
    objective: z.object({ name: z.string() }),
    feature_names: z.array(z.string()).default([]),
    feature_types: z.array(z.string()).default([]),
  }),
});

/** A row goes to `yes` where its test holds. */
export type TreeNode =
  | { readonly kind: "leaf"; readonly value: number }
  | {
      readonly kind: "less";
      readonly feature: number;
      readonly threshold: number;
      readonly yes: number;
      readonly no: number;
      readonly missing: "yes" | "no";
    }
  | {
      readonly kind: "member";
      readonly feature: number;
      readonly categories: readonly number[];
      readonly yes: number;
      readonly no: number;
      readonly missing: "yes" | "no";
    };

/** Nodes refer to each other by index; the first is the root. */
export type BoostedTree = { readonly group: number; readonly nodes: readonly TreeNode[] };

export type TreeModel = {
  readonly objective: string;
  readonly features: number;
  readonly featureNames: readonly string[];
  readonly featureTypes: readonly string[];
  /** 1 for two classes, whose margin is of the second. */
  readonly groups: number;
  /** `[groups]` margins that every row starts from, as float32. */
  readonly base: Float32Array;
  /** In the order in which they are summed. */
  readonly trees: readonly BoostedTree[];
};

const logistic = ["binary:logistic", "binary:logitraw"];
const multiclass = ["multi:softprob", "multi:softmax"];

/**
 * Reads a classifier of two or more classes.
 * @throws FlywheelError `xgboost_bad_model`; `xgboost_unsupported_model` for regression, ranking, linear boosters, DART and
 *   trees of several outputs
 */
export function parseTreeModel(saved: Uint8Array): TreeModel {
  const { learner } = parse(saved);
  const { name, model } = learner.gradient_booster;
  const objective = learner.objective.name;
  if (name !== "gbtree" || !model) throw unsupported(`its booster is "${name}"`);
  if (![...logistic, ...multiclass].includes(objective)) throw unsupported(`its objective is "${objective}"`);
  const groups = Math.max(1, Number(learner.learner_model_param.num_class));
  return {
    objective,
    features: Number(learner.learner_model_param.num_feature),
    featureNames: learner.feature_names,
    featureTypes: learner.feature_types,
    groups,
    base: baseMargins(learner.learner_model_param.base_score, { groups, objective }),
    trees: model.trees.map((tree, index) => ({ group: model.tree_info[index] ?? 0, nodes: nodesOf(tree) })),
  };
}

function parse(saved: Uint8Array): z.output<typeof ModelJson> {
  try {
    return ModelJson.parse(isUbj(saved) ? parseUbj(saved) : JSON.parse(withoutNaN(new TextDecoder().decode(saved))));
  } catch (cause) {
    if (FlywheelError.isInstance(cause)) throw cause;
    throw new FlywheelError("xgboost_bad_model", `not a model in XGBoost's JSON or UBJ: ${messageOf(cause)}`, {
      hint: "load it into a booster and save it as JSON: XGBoost reads its older formats",
      cause,
    });
  }
}

/** XGBoost writes NaN and Infinity as such, which JSON has not; texts that spell them are let be. */
function withoutNaN(json: string): string {
  if (!json.includes("NaN") && !json.includes("Infinity")) return json;
  return json.replace(/"(?:[^"\\]|\\[\s\S])*"?|-?\b(?:NaN|Infinity)\b/g, (found) =>
    found.startsWith('"') ? found : "null",
  );
}

function unsupported(why: string): FlywheelError {
  return new FlywheelError("xgboost_unsupported_model", `this model cannot serve as a classifier: ${why}`, {
    hint: `train with booster gbtree and one of ${[...logistic, ...multiclass].join(", ")}`,
  });
}

/** Before 3.1 one number, `5E-1`; since then one for each group, `[2.2E-1,4.9E-1]`. A probability where the link is logistic. */
function baseMargins(
  text: string,
  { groups, objective }: { readonly groups: number; readonly objective: string },
): Float32Array {
  const scores = text
    .replace(/^\[|\]$/g, "")
    .split(",")
    .map(Number);
  const each = (group: number): number => scores[scores.length === 1 ? 0 : group] ?? Number.NaN;
  const base = Float32Array.from({ length: groups }, (_, group) => each(group));
  if (base.some((score) => !Number.isFinite(score))) throw unsupported(`its base_score is "${text}"`);
  return objective === "binary:logistic" ? base.map((p) => -Math.log(Math.fround(1 / p) - 1)) : base;
}

function nodesOf(tree: Tree): readonly TreeNode[] {
  if (Number(tree.tree_param.size_leaf_vector ?? 1) > 1)
    throw unsupported("its leaves are vectors (multi_output_tree)");
  const categories = categoriesByNode(tree);
  return Array.from(tree.left_children, (left, node): TreeNode => {
    const value = Math.fround(tree.split_conditions[node] ?? Number.NaN);
    if (left === -1) return { kind: "leaf", value };
    const right = tree.right_children[node]!;
    const feature = tree.split_indices[node]!;
    const goesLeft = Boolean(tree.default_left[node]);
    // The categories that a node lists go to the right; all others, those never seen included, to the left.
    return tree.split_type?.[node] === 1
      ? {
          kind: "member",
          feature,
          categories: categories.get(node) ?? [],
          yes: right,
          no: left,
          missing: goesLeft ? "no" : "yes",
        }
      : { kind: "less", feature, threshold: value, yes: left, no: right, missing: goesLeft ? "yes" : "no" };
  });
}

function categoriesByNode(tree: Tree): ReadonlyMap<number, readonly number[]> {
  const categories = Array.from(tree.categories);
  return new Map(
    Array.from(tree.categories_nodes, (node, index) => {
      const start = tree.categories_segments[index]!;
      return [node, categories.slice(start, start + tree.categories_sizes[index]!)];
    }),
  );
}
