/**
 * @file OpenTelemetry spans of calls to models: OTLP as JSON (an export request a line), or one span a line. Semantic
 * conventions "GenAI" (`gen_ai.input.messages`), and OpenLLMetry's older names (`gen_ai.prompt.0.content`).
 */

import { isObject, listAt, numberAt, objectAt, textAt, unwrapped } from "./fields.ts";
import { type LoggedCall, type LogRecord, NO_USAGE, type ReadCalls } from "./logged-call.ts";
import { readAnswerMessage, readConversation } from "./messages.ts";

export const isOtel = (record: LogRecord): boolean =>
  listAt(record, "resourceSpans") !== undefined ||
  (record["attributes"] !== undefined && Object.keys(attributesOf(record)).some((name) => name.startsWith("gen_ai.")));

export function readSpans(record: LogRecord): ReadCalls {
  const spans = spansOf(record);
  const calls = spans.map(readSpan).filter((call) => call !== undefined);
  return { calls, other: spans.length - calls.length };
}

function spansOf(record: LogRecord): readonly unknown[] {
  const resources = listAt(record, "resourceSpans");
  if (!resources) return [record];
  const scopes = resources.flatMap((resource) => listAt(resource, "scopeSpans") ?? []);
  return scopes.flatMap((scope) => listAt(scope, "spans") ?? []);
}

/** Undefined where the span is no call of a model, or its content was not recorded. */
function readSpan(span: unknown): LoggedCall | undefined {
  const attributes = { ...eventAttributes(span), ...attributesOf(span) };
  const asked = messagesIn(attributes, "gen_ai.input.messages", "gen_ai.prompt");
  if (!asked) return undefined;
  const replies = messagesIn(attributes, "gen_ai.output.messages", "gen_ai.completion") ?? [];
  const { prompt, input, answer } = readConversation(asked);
  const [reply] = replies;
  const error = attributes["error.type"];
  return {
    input,
    prompt: [systemOf(attributes), prompt].filter((text) => text !== "").join("\n"),
    answer: reply
      ? readAnswerMessage(reply)
      : (answer ?? { kind: "failed", message: `no answer was recorded${error ? `: ${error}` : ""}` }),
    model: textAt(attributes, "gen_ai.response.model") ?? textAt(attributes, "gen_ai.request.model"),
    usage: {
      inputTokens:
        numberAt(attributes, "gen_ai.usage.input_tokens") ??
        numberAt(attributes, "gen_ai.usage.prompt_tokens") ??
        NO_USAGE.inputTokens,
      outputTokens:
        numberAt(attributes, "gen_ai.usage.output_tokens") ??
        numberAt(attributes, "gen_ai.usage.completion_tokens") ??
        NO_USAGE.outputTokens,
    },
    ...timesOf(span),
  };
}

function systemOf(attributes: LogRecord): string {
  const system = unwrapped(attributes["gen_ai.system_instructions"]);
  if (typeof system === "string") return system;
  return (Array.isArray(system) ? system : []).map((part) => textAt(part, "content") ?? "").join("\n");
}

function messagesIn(attributes: LogRecord, name: string, older: string): readonly unknown[] | undefined {
  const messages = unwrapped(attributes[name]);
  if (Array.isArray(messages)) return messages;
  const numbered: unknown[] = [];
  for (let index = 0; ; index++) {
    const content = attributes[`${older}.${index}.content`];
    if (content === undefined) break;
    numbered.push({ role: attributes[`${older}.${index}.role`] ?? "user", content });
  }
  return numbered.length > 0 ? numbered : undefined;
}

/** The conventions let content stand in an event of the span instead. */
function eventAttributes(span: unknown): LogRecord {
  return Object.assign({}, ...(listAt(span, "events") ?? []).map(attributesOf));
}

/** As a map, or as OTLP's list of keys with typed values. */
function attributesOf(span: unknown): LogRecord {
  const list = listAt(span, "attributes");
  if (!list) return objectAt(span, "attributes") ?? {};
  return Object.fromEntries(list.map((one) => [textAt(one, "key") ?? "", plain(objectAt(one, "value"))]));
}

function plain(value: unknown): unknown {
  if (!isObject(value)) return value;
  const values = listAt(value, "arrayValue", "values");
  if (values) return values.map(plain);
  const pairs = listAt(value, "kvlistValue", "values");
  if (pairs) return Object.fromEntries(pairs.map((one) => [textAt(one, "key") ?? "", plain(objectAt(one, "value"))]));
  return value["stringValue"] ?? value["intValue"] ?? value["doubleValue"] ?? value["boolValue"];
}

/** In a millisecond. */
const NANOSECONDS = 1e6;

function timesOf(span: unknown): Pick<LoggedCall, "latencyMs" | "at"> {
  const [start, end] = [numberAt(span, "startTimeUnixNano"), numberAt(span, "endTimeUnixNano")];
  if (start === undefined || end === undefined) return { latencyMs: 0 };
  return { latencyMs: Math.max(0, Math.round((end - start) / NANOSECONDS)), at: Math.round(end / NANOSECONDS) };
}
