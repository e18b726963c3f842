/** @file Models that any XGBoost has saved, as ONNX. */

import { FlywheelError } from "../errors.ts";
import { writeOnnx } from "../onnx/proto.ts";
import { type Booster, createBooster } from "./booster.ts";
import { loadXgboost } from "./native.ts";
import { parseTreeModel } from "./tree-model.ts";
import { treesToOnnx } from "./trees-to-onnx.ts";

/**
 * From JSON or UBJ (`Booster.save_model`) to the bytes of an ONNX file: `features` `[N, features]` float32, NaN where missing,
 * to `logits` `[N, classes]`; of two classes these are 0 and XGBoost's margin.
 * @throws FlywheelError `xgboost_unsupported_model` for what is no classifier by trees, `xgboost_failed`, `xgboost_missing`
 */
export function xgboostToOnnx(saved: Uint8Array): Uint8Array {
  using booster = openSaved(saved);
  return writeOnnx(treesToOnnx(parseTreeModel(booster.save("ubj"))));
}

function openSaved(saved: Uint8Array): Booster {
  const library = loadXgboost();
  try {
    return createBooster({ model: saved, library });
  } catch (cause) {
    if (!FlywheelError.isInstance(cause)) throw cause;
    throw new FlywheelError("xgboost_failed", `XGBoost cannot read this model: ${cause.message}`, {
      hint: "give a whole file that XGBoost saved as JSON or UBJ: Booster.save_model('model.ubj'), no pickle",
      cause,
    });
  }
}
