/**
 * @file Gets XGBoost's shared library for the record students, where the machine has none: through `pip`, into our cache.
 * `--optional` makes a failure a line of text and not an error: everything but records works without it.
 */

import { messageOf } from "../src/errors.ts";
import { installXgboost } from "../src/xgboost/install-library.ts";
import { loadXgboost } from "../src/xgboost/native.ts";

function installed(): boolean {
  try {
    loadXgboost();
    return true;
  } catch {
    return false; // the reason for being here
  }
}

const isOptional = process.argv.includes("--optional");
try {
  if (!installed()) await installXgboost();
  const { version, path } = loadXgboost();
  if (!isOptional) console.log(`XGBoost ${version}: ${path}`);
} catch (thrown) {
  console.error(`XGBoost: ${messageOf(thrown)}`);
  if (!isOptional) process.exitCode = 1;
}
