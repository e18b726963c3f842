/** @file Models that any XGBoost has saved, as ONNX. */

import type { Model } from "../onnx/model.ts";
import { createBooster } from "./booster.ts";
import { parseTreeModel } from "./tree-model.ts";
import { treesToOnnx } from "./trees-to-onnx.ts";

/**
 * From JSON or UBJ to ONNX: `features` `[N, features]` to `logits` `[N, classes]`.
 * @throws FlywheelError `xgboost_unsupported_model` for what is no classifier by trees, `xgboost_failed`, `xgboost_missing`
 */
export function xgboostToOnnx(saved: Uint8Array): Model {
  using booster = createBooster({ model: saved });
  return treesToOnnx(parseTreeModel(booster.save("ubj")));
}
