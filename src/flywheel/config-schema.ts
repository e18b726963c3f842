/** @file The keys of a config, read off the schema that checks it: for the reference and for the test that none is forgotten. */

import { z } from "zod";
import { FieldsSchema, TaskSchema } from "../task.ts";

export type SchemaKey = {
  /** `teacher.maxAttempts`, `output.choices[].value`, `fields.*.instructions`. */
  readonly path: string;
  /** `string`, `whole number`, `"each" or "together"`, … */
  readonly type: string;
  /** As JSON; undefined where there is none. */
  readonly fallback: string | undefined;
  readonly range: string | undefined;
  readonly isRequired: boolean;
};

type Json = { readonly [key: string]: unknown };

/** Every key that holds a value, of tasks of one output and of several, each once. */
export function configSchema(): readonly SchemaKey[] {
  const keys = new Map<string, SchemaKey>();
  for (const schema of [TaskSchema, FieldsSchema]) {
    const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
    for (const key of keysOf(root, "", { isRequired: true, fallback: undefined })) {
      const known = keys.get(key.path);
      keys.set(key.path, known ? { ...known, type: orType(known.type, key.type) } : key);
    }
  }
  return [...keys.values()];
}

/** Of two kinds of output under one path: `"choice" or "score"`. */
const orType = (one: string, other: string): string =>
  [...new Set([...one.split(" or "), ...other.split(" or ")])].join(" or ");

/** What a key has from those above it: whether all of them have to be there, and what stands for it where one is not. */
type Above = { readonly isRequired: boolean; readonly fallback: unknown };

function keysOf(schema: Json, path: string, above: Above): readonly SchemaKey[] {
  const fallback = schema["default"] ?? above.fallback;
  const inner = partsOf(schema, path);
  if (inner.length > 0) {
    return inner.flatMap(([part, name, isNeeded]) => {
      const own = isJson(fallback) ? fallback[name.slice(name.lastIndexOf(".") + 1)] : undefined;
      return keysOf(part, name, { isRequired: above.isRequired && isNeeded, fallback: own });
    });
  }
  const shown = fallback === undefined ? undefined : JSON.stringify(fallback);
  const isRequired = above.isRequired && shown === undefined;
  return [{ path, type: typeOf(schema), fallback: shown, range: rangeOf(schema), isRequired }];
}

type Part = readonly [schema: Json, path: string, isRequired: boolean];

/** What an object, a list of objects or a choice among objects is made of; nothing of a value. */
function partsOf(schema: Json, path: string): readonly Part[] {
  const objects = variantsOf(schema).filter(isObject);
  if (objects.length > 1) return objects.flatMap((one) => partsOf(one, path));
  const { properties, items, additionalProperties: values, required } = schema;
  if (isJson(properties)) {
    const names = Array.isArray(required) ? required : [];
    return Object.entries(properties).flatMap(([name, part]): Part[] =>
      isJson(part) ? [[part, path === "" ? name : `${path}.${name}`, names.includes(name)]] : [],
    );
  }
  if (isJson(items) && isObject(items)) return partsOf(items, `${path}[]`);
  if (isJson(values) && isObject(values)) return partsOf(values, `${path}.*`);
  return [];
}

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const isObject = (schema: Json): boolean => isJson(schema["properties"]);
const variantsOf = ({ anyOf, oneOf }: Json): readonly Json[] => [anyOf, oneOf].flat().filter(isJson);

function typeOf(schema: Json): string {
  const { type, items, prefixItems } = schema;
  const variants = variantsOf(schema);
  if (variants.length > 0) return [...new Set(variants.map(typeOf))].join(" or ");
  if ("const" in schema) return JSON.stringify(schema["const"]);
  if (Array.isArray(schema["enum"])) return schema["enum"].map((one) => JSON.stringify(one)).join(" or ");
  if (Array.isArray(prefixItems))
    return `list of ${prefixItems.length}: ${prefixItems.filter(isJson).map(typeOf).join(", ")}`;
  if (type === "array" && isJson(items)) return `list of ${typeOf(items)}`;
  if (type === "object") return "object by name";
  return type === "integer" ? "whole number" : String(type ?? "any");
}

/** zod's own bound of whole numbers, which says nothing. */
const isBound = (value: unknown): value is number =>
  typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER;

function rangeOf(schema: Json): string | undefined {
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum, minItems, maxItems, pattern } = schema;
  const bounds = [
    isBound(minimum) && `≥ ${minimum}`,
    isBound(exclusiveMinimum) && `> ${exclusiveMinimum}`,
    isBound(maximum) && `≤ ${maximum}`,
    isBound(exclusiveMaximum) && `< ${exclusiveMaximum}`,
    isBound(minItems) && !("prefixItems" in schema) && `at least ${minItems}`,
    isBound(maxItems) && !("prefixItems" in schema) && `at most ${maxItems}`,
    typeof pattern === "string" && !("format" in schema) && `matches \`${pattern}\``,
  ].filter((bound) => bound !== false);
  return bounds.length === 0 ? undefined : bounds.join(", ");
}
