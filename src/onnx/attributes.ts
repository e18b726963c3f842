/**
 * @file Attributes from plain JavaScript values. `1` does not say whether ONNX wants INT or FLOAT, and ONNX Runtime
 * refuses the wrong one, so attributes that are floats are known by name.
 */

import type { Attribute, Attributes } from "./model.ts";
import type { Tensor } from "./tensor.ts";

/** What `op()` takes: a number is INT or FLOAT by the attribute's name, an array likewise, or a tagged attribute. */
export type AttributeInput = number | string | readonly number[] | readonly string[] | Tensor | Attribute;

/** Every FLOAT or FLOATS attribute of the operators that this folder emits or differentiates. */
const floatNames: ReadonlySet<string> = new Set([
  "alpha",
  "beta",
  "gamma",
  "epsilon",
  "momentum",
  "lambd",
  "bias",
  "value_float",
  "value_floats",
  "activation_params",
  "min",
  "max",
  "ratio",
  "spatial_scale",
  "scale",
]);

export function attributesFrom(given: Readonly<Record<string, AttributeInput>>): Attributes {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, attributeFrom(name, value)]));
}

function attributeFrom(name: string, value: AttributeInput): Attribute {
  if (typeof value === "string") return { type: "string", value };
  if (typeof value === "number") return { type: floatNames.has(name) ? "float" : "int", value };
  if ("type" in value) return value;
  if ("dtype" in value) return { type: "tensor", value };
  if (isStrings(value)) return { type: "strings", value };
  return { type: floatNames.has(name) ? "floats" : "ints", value };
}

function isStrings(value: readonly number[] | readonly string[]): value is readonly string[] {
  return value.length > 0 && typeof value[0] === "string";
}
