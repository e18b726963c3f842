/** @file Logs of OpenAI's interfaces: request and response in one object, side by side, or as a batch wraps them; chats. */

import { isObject, latencyOf, listAt, objectAt, textAt, timeOf, unwrapped, usageOf } from "./fields.ts";
import type { LoggedAnswer, LoggedCall, LogRecord } from "./logged-call.ts";
import { readAnswerMessage, readConversation } from "./messages.ts";

export type Exchange = { readonly request: LogRecord; readonly response: LogRecord };

/** `{ request, response }`, each perhaps with a `body`, or everything in one object (stored completions, fine-tuning files). */
export function exchangeOf(record: LogRecord): Exchange {
  const request = objectOf(record["request"] ?? record["body"]) ?? record;
  const response = objectOf(record["response"] ?? record["completion"]) ?? record;
  return { request: objectAt(request, "body") ?? request, response: objectAt(response, "body") ?? response };
}

function objectOf(value: unknown): LogRecord | undefined {
  const found = unwrapped(value);
  return isObject(found) ? found : undefined;
}

export const isChat = ({ request, response }: Exchange): boolean =>
  listAt(request, "messages") !== undefined &&
  (listAt(response, "choices") !== undefined ||
    readConversation(listAt(request, "messages") ?? []).answer !== undefined);

export function readChat(record: LogRecord, { request, response }: Exchange): LoggedCall {
  const { prompt, input, answer } = readConversation(listAt(request, "messages") ?? []);
  return {
    input,
    prompt,
    answer: chosen(response) ?? answer ?? noAnswer(record),
    ...callOf(record, { request, response }),
  };
}

function chosen(response: LogRecord): LoggedAnswer | undefined {
  const choice = listAt(response, "choices")?.[0];
  const message = objectAt(choice, "message");
  if (!message) return undefined;
  // Cut off at the token limit, a label may be the beginning of another.
  if (textAt(choice, "finish_reason") === "length") return { kind: "failed", message: "the answer was cut short" };
  return readAnswerMessage(message);
}

export function callOf(
  record: LogRecord,
  { request, response }: Exchange,
): Pick<LoggedCall, "model" | "usage" | "latencyMs" | "at"> {
  return {
    model: textAt(response, "model") ?? textAt(request, "model") ?? textAt(record, "model"),
    usage: usageOf(response),
    latencyMs: latencyOf(record),
    at: timeOf(record, response),
  };
}

export function noAnswer(record: LogRecord): LoggedAnswer {
  const message = textAt(record, "error", "message") ?? textAt(record, "response", "body", "error", "message");
  return { kind: "failed", message: message ?? "the log holds no answer" };
}
