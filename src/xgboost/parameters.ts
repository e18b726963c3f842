/**
 * @file XGBoost's parameters under XGBoost's own names. The library itself lets a misspelt name pass with a line on the
 * error output; here it is an error.
 */

import { FlywheelError } from "../errors.ts";

/** Of the tree booster, its learning task and the library (XGBoost Parameters, releases 1.6 to 3.2). */
const known = [
  ..."booster device verbosity validate_parameters nthread seed seed_per_iteration disable_default_eval_metric".split(
    " ",
  ),
  ..."eta learning_rate gamma min_split_loss max_depth min_child_weight max_delta_step subsample".split(" "),
  ..."sampling_method colsample_bytree colsample_bylevel colsample_bynode lambda reg_lambda alpha reg_alpha".split(" "),
  ..."tree_method scale_pos_weight updater refresh_leaf process_type grow_policy max_leaves max_bin".split(" "),
  ..."num_parallel_tree monotone_constraints interaction_constraints multi_strategy max_cached_hist_node".split(" "),
  ..."max_cat_to_onehot max_cat_threshold sketch_eps objective base_score eval_metric num_class".split(" "),
] as const;

export type XgboostParameters = Readonly<Record<string, string | number | boolean | readonly (string | number)[]>>;

/**
 * Name and text of each parameter, in the given order, as the library takes them. Several evaluation metrics are several
 * pairs; any other list is a tuple: `monotone_constraints: [1, 0, -1]` is `(1,0,-1)`.
 * @throws FlywheelError `xgboost_unknown_parameter`
 */
export function parameterTexts(parameters: XgboostParameters): readonly (readonly [string, string])[] {
  return Object.entries(parameters).flatMap(([name, value]): (readonly [string, string])[] => {
    if (!known.includes(name)) throw unknownParameter(name);
    if (!Array.isArray(value)) return [[name, String(value)]];
    return name === "eval_metric" ? value.map((each) => [name, String(each)]) : [[name, `(${value.join(",")})`]];
  });
}

function unknownParameter(name: string): FlywheelError {
  return new FlywheelError("xgboost_unknown_parameter", `XGBoost's tree booster has no parameter "${name}"`, {
    hint: `it has: ${[...known].sort().join(", ")}`,
  });
}
