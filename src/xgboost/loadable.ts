/** @file What may be handed to XGBoost's library: it trusts a file, and some end the process instead of being refused. */

import { FlywheelError } from "../errors.ts";
import type { XgboostLibrary } from "./native.ts";
import { parseTreeModel } from "./tree-model.ts";

/**
 * A classifier by trees, whole, and of this release or an earlier one: a library passes over what later ones have added, in
 * silence (up to 3.0 the intercepts of 3.1, up to 3.3 the weights of a DART model of 3.4).
 * @throws FlywheelError `xgboost_bad_model`, `xgboost_unsupported_model`, `xgboost_newer_model`
 */
export function checkLoadable(saved: Uint8Array, { version }: Pick<XgboostLibrary, "version">): void {
  const { version: written } = parseTreeModel(saved);
  if (!isNewer(written, version)) return;
  throw new FlywheelError("xgboost_newer_model", `XGBoost ${written} saved this model, and the library is ${version}`, {
    hint: `install XGBoost ${written} or newer, or train the model again with this one`,
  });
}

/** By major and minor: patches write the same. */
function isNewer(version: string, than: string): boolean {
  return rank(version) > rank(than);
}

function rank(version: string): number {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1000 + minor;
}
