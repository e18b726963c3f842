/**
 * @file The document in a saved model, taken apart: what it is comes first, so that a kind that is not converted is refused
 * by its name, then every field is known, or the file is refused: a field passed over is a margin that is wrong in silence.
 *
 * Written by releases 1.7 to 3.4, which differ in how they write the intercept (a list since 3.1), rounds (`iteration_indptr`
 * since 2.0), names of categories (`cats` since 3.1) and DART (`dart` around `gbtree` up to 3.3; `weight_drop` in `model` since 3.4).
 * Source: doc/model.schema, src/gbm/gbtree_model.cc and src/tree/tree_model.cc of XGBoost.
 */

import { z } from "zod";
import { FlywheelError } from "../errors.ts";
import { badModel, parseSaved } from "./saved-format.ts";

export type Numbers = ArrayLike<number>;

const isNumbers = (value: unknown): value is Numbers =>
  Array.isArray(value)
    ? value.every((each) => typeof each === "number")
    : ArrayBuffer.isView(value) && !(value instanceof DataView);
/** Lists in JSON, typed arrays in UBJ. */
const numbers = z.custom<Numbers>(isNumbers, "expected numbers");
const none = () => [];

const Tree = z.strictObject({
  id: z.number().optional(),
  left_children: numbers,
  right_children: numbers,
  parents: numbers.optional(),
  split_indices: numbers,
  /** A leaf's value where the node is one; nothing, in releases before 2, where the split is by categories. */
  split_conditions: z.union([numbers, z.array(z.number().nullable())]),
  /** 1 for a set of categories. */
  split_type: numbers.optional(),
  default_left: z.union([numbers, z.array(z.union([z.number(), z.boolean()]))]),
  categories: numbers.default(none),
  categories_nodes: numbers.default(none),
  categories_segments: numbers.default(none),
  categories_sizes: numbers.default(none),
  tree_param: z.strictObject({
    num_deleted: z.string().optional(),
    num_feature: z.string().optional(),
    num_nodes: z.string().optional(),
    num_roots: z.string().optional(),
    size_leaf_vector: z.string().optional(),
  }),
  /** Of leaves that are vectors. */
  leaf_weights: numbers.optional(),
  // What training keeps for itself.
  base_weights: numbers.optional(),
  loss_changes: numbers.optional(),
  sum_hessian: numbers.optional(),
});
export type SavedTree = z.output<typeof Tree>;

/** Categories of a column: texts, all bytes in one list, or whole numbers. */
const Categories = z.strictObject({ offsets: numbers.optional(), type: z.number().optional(), values: numbers });
export type SavedCategories = z.output<typeof Categories>;

const Trees = z.strictObject({
  gbtree_model_param: z.strictObject({
    num_trees: z.string(),
    num_parallel_tree: z.string().default("1"),
    num_feature: z.string().optional(),
    num_output_group: z.string().optional(),
    num_roots: z.string().optional(),
    size_leaf_vector: z.string().optional(),
  }),
  iteration_indptr: numbers.optional(),
  tree_info: numbers,
  trees: z.array(Tree),
  weight_drop: numbers.optional(),
  cats: z
    .strictObject({ enc: z.array(Categories), feature_segments: z.unknown(), sorted_idx: z.unknown() })
    .default({ enc: [], feature_segments: [], sorted_idx: [] }),
});
export type SavedTrees = z.output<typeof Trees>;

const Gbtree = z.strictObject({ name: z.literal("gbtree"), model: Trees, weight_drop: numbers.optional() });
const Booster = z.discriminatedUnion("name", [
  Gbtree,
  z.strictObject({ name: z.literal("dart"), gbtree: Gbtree, weight_drop: numbers }),
]);

const Learner = z.strictObject({
  attributes: z.record(z.string(), z.string()).default({}),
  feature_names: z.array(z.string()).default([]),
  feature_types: z.array(z.string()).default([]),
  gradient_booster: Booster,
  learner_model_param: z.strictObject({
    base_score: z.string(),
    boost_from_average: z.string().optional(),
    num_class: z.string(),
    num_feature: z.string(),
    num_target: z.string().default("1"),
  }),
  // Parameters of the loss, which only training uses.
  objective: z.looseObject({ name: z.string() }),
});

const Saved = z.strictObject({ learner: Learner, version: z.array(z.number()).length(3) });

export type SavedModel = Omit<z.output<typeof Learner>, "gradient_booster" | "objective"> & {
  readonly version: readonly number[];
  readonly objective: string;
  readonly model: SavedTrees;
  /** Of each tree, where the booster is DART. */
  readonly treeWeights: Numbers | undefined;
};

export function unsupported(why: string): FlywheelError {
  return new FlywheelError("xgboost_unsupported_model", `this model is not converted: ${why}`, {
    hint: `classifiers by trees are: booster gbtree or dart, one of ${objectives.join(", ")}, one output a class`,
  });
}

export const logistic = ["binary:logistic", "binary:logitraw"];
export const multiclass = ["multi:softprob", "multi:softmax"];
const objectives = [...logistic, ...multiclass];

/** @throws FlywheelError `xgboost_bad_model`, `xgboost_unsupported_model` */
export function readSaved(saved: Uint8Array): SavedModel {
  const document = parseSaved(saved);
  checkKind(document);
  const { learner, version } = known(document);
  const { gradient_booster, objective, ...rest } = learner;
  const gbtree = gradient_booster.name === "dart" ? gradient_booster.gbtree : gradient_booster;
  const beside = gradient_booster.weight_drop ?? gbtree.weight_drop;
  return {
    ...rest,
    version,
    objective: objective.name,
    model: gbtree.model,
    treeWeights: beside ?? gbtree.model.weight_drop,
  };
}

/** As much as says what the document is. */
const Outline = z.looseObject({
  learner: z.looseObject({
    gradient_booster: z.looseObject({ name: z.string() }),
    learner_model_param: z.looseObject({ num_target: z.string().default("1") }),
    objective: z.looseObject({ name: z.string() }),
  }),
});

function checkKind(document: unknown): void {
  const given = (name: string): boolean => typeof document === "object" && document !== null && name in document;
  if (given("Model") && given("Config")) throw badModel("it is a snapshot of a booster, as pickles hold it");
  if (
    z.object({ learner: z.looseObject({ learner_train_param: z.unknown() }) }).safeParse(document).data?.learner
      .learner_train_param
  ) {
    throw badModel("it is a configuration (save_config), without trees");
  }
  const { success, data, error } = Outline.safeParse(document);
  if (!success) throw badModel(z.prettifyError(error), { cause: error });
  const { gradient_booster, objective, learner_model_param } = data.learner;
  if (!["gbtree", "dart"].includes(gradient_booster.name))
    throw unsupported(`its booster is "${gradient_booster.name}"`);
  if (!objectives.includes(objective.name)) throw unsupported(`its objective is "${objective.name}"`);
  const { num_target } = learner_model_param;
  if (Number(num_target) > 1)
    throw unsupported(`it has ${num_target} outputs (num_target), each a question of its own`);
}

function known(document: unknown): z.output<typeof Saved> {
  const { success, data, error } = Saved.safeParse(document);
  if (success) return data;
  const unread = unreadField(error.issues);
  if (unread) throw unsupported(`it holds "${unread}", which this version does not know how to read`);
  throw badModel(z.prettifyError(error), { cause: error });
}

type Issue = z.core.$ZodIssue;

function unreadField(issues: readonly Issue[]): string | undefined {
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") return [...issue.path, issue.keys[0]].join(".");
  }
  return undefined;
}
