/** @file The text or the record of a request. It is read as ingest reads a cell, so that the same input is the same row. */

import { readFields, readText } from "../columns.ts";
import { FlywheelError } from "../errors.ts";
import { rowId } from "../records.ts";
import type { RouterInput } from "../route/content.ts";
import type { AnyTask } from "../task.ts";
import { identityOfRecord, identityOfText } from "../text/identity.ts";
import type { InputPart } from "./decision-request.ts";
import { RequestError } from "./request-error.ts";

/**
 * All texts of the request, as one with a line break between them.
 * @throws RequestError 400 for anything but text
 */
export function receiveText(parts: readonly InputPart[]): RouterInput {
  const texts = parts.map(({ part, param }) => {
    if (part.type === "input_text") return part.text;
    throw unsupported(param, "the task reads text and nothing else", 'send input: "the text"');
  });
  const text = orBadInput(() => readText(texts.join("\n"), "input"), "input");
  return { rowId: rowId(identityOfText(text)), content: { kind: "text", text } };
}

const RECORD_HINT = 'send input: [{ role: "user", content: [{ type: "input_json", data: { … } }] }]';

/**
 * The one JSON object of the request, as `input_json` or written out as text.
 * @throws RequestError 400 for anything else, or where a feature is unknown or cannot be read
 */
export function receiveRecord(parts: readonly InputPart[], { columns }: AnyTask): RouterInput {
  const [first, second] = parts.filter(({ part }) => part.type !== "input_text" || part.text.trim() !== "");
  if (!first) throw unsupported("input", "the task reads one record and nothing else", RECORD_HINT);
  if (second) throw unsupported(second.param, "one request is about one record", "send one request for each record");
  const fields = orBadInput(() => readFields(columns, objectOf(first), { isStrict: true }), first.param);
  return { rowId: rowId(identityOfRecord(fields)), content: { kind: "record", fields } };
}

function objectOf({ part, param }: InputPart): Readonly<Record<string, unknown>> {
  const given = part.type === "input_json" ? part.data : part.type === "input_text" ? parseJson(part.text) : undefined;
  const value = Array.isArray(given) && given.length === 1 ? given[0] : given;
  if (isObject(value)) return value;
  throw unsupported(param, "the task reads one record: a JSON object of its features", RECORD_HINT);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function orBadInput<T>(read: () => T, param: string): T {
  try {
    return read();
  } catch (thrown) {
    if (!FlywheelError.isInstance(thrown) || thrown instanceof RequestError) throw thrown;
    const hint = thrown.hint === undefined ? {} : { hint: thrown.hint };
    throw new RequestError(400, thrown.code, thrown.message, { param, cause: thrown, ...hint });
  }
}

const unsupported = (param: string, message: string, hint: string): RequestError =>
  new RequestError(400, "unsupported_input", message, { param, hint });
