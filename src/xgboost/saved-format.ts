/** @file What a file that is taken for a saved model turns out to be: JSON, UBJ, or something else that is called by its name. */

import { FlywheelError, messageOf } from "../errors.ts";
import { isUbj, parseUbj } from "./ubjson.ts";

const resave = "load it where it was made and save it again: Booster.save_model('model.ubj') or 'model.json'";

export function badModel(what: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
  return new FlywheelError("xgboost_bad_model", `not a model that XGBoost saved as JSON or UBJ: ${what}`, {
    hint: options.hint ?? "give the whole file that Booster.save_model('model.ubj') has written, or 'model.json'",
    cause: options.cause,
  });
}

/**
 * The document in the file. Numbers of JSON are numbers, Infinity among them; NaN is null.
 * @throws FlywheelError `xgboost_bad_model`
 */
export function parseSaved(saved: Uint8Array): unknown {
  if (isUbj(saved)) return parseUbj(saved);
  const kind = foreignKinds.find(({ is }) => is(saved))?.kind;
  if (kind) throw badModel(`it is ${kind}`, { hint: resave });
  return parseJson(saved);
}

const startsWith =
  (...bytes: readonly number[]) =>
  (saved: Uint8Array): boolean =>
    bytes.every((byte, index) => saved[index] === byte);

const beginning = (saved: Uint8Array): string => new TextDecoder().decode(saved.subarray(0, 200)).trimStart();

const foreignKinds: readonly { readonly kind: string; readonly is: (saved: Uint8Array) => boolean }[] = [
  { kind: "empty", is: (saved) => saved.length === 0 },
  { kind: "a pickle, which only Python can open", is: startsWith(0x80) },
  { kind: "compressed: a pickle of joblib's, or an archive", is: startsWith(0x1f, 0x8b) },
  { kind: "an archive", is: startsWith(0x50, 0x4b) },
  {
    kind: "a dump of trees as text, which holds no intercept",
    is: (saved) => /^(booster\[|0:)/.test(beginning(saved)),
  },
  {
    kind: "a dump of trees as JSON, which holds no intercept",
    is: (saved) => /^\[\s*\{\s*"(nodeid|leaf)"/.test(beginning(saved)),
  },
  {
    kind: "XGBoost's binary format from before JSON (`.bin`, `.model`, `.deprecated` of releases up to 3.0)",
    is: (saved) => /^(binf|bs64)/.test(beginning(saved)),
  },
];

function parseJson(saved: Uint8Array): unknown {
  try {
    return JSON.parse(withoutNaN(new TextDecoder().decode(saved)));
  } catch (cause) {
    throw badModel(messageOf(cause), { cause });
  }
}

/** XGBoost writes NaN and Infinity as such, which JSON has not; texts that spell them are let be. */
function withoutNaN(json: string): string {
  if (!json.includes("NaN") && !json.includes("Infinity")) return json;
  return json.replace(/"(?:[^"\\]|\\[\s\S])*"?|\b(?:NaN|Infinity)\b/g, (found) =>
    found.startsWith('"') ? found : found === "NaN" ? "null" : "1e999",
  );
}
