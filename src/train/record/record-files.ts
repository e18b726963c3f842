/** @file Files of a record student's folder besides `model.onnx` and its card. */

/** The frozen schema: `FeatureSchema` as JSON. */
export const featuresFile = "features.json";
/** The same trees as XGBoost saves them (UBJ): what explains a decision, and what other programs of XGBoost's read. */
export const boosterFile = "booster.ubj";
