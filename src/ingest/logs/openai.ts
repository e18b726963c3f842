/** @file Logs of OpenAI's interfaces: request and response in one object, side by side, or as a batch wraps them. */

import { isObject, latencyOf, listAt, numberAt, objectAt, textAt, timeOf, unwrapped, usageOf } from "./fields.ts";
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

export const isDecision = ({ request, response }: Exchange): boolean =>
  listAt(request, "questions") !== undefined && listAt(response, "answers") !== undefined;

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

function offersLabels(question: unknown, knows: (value: string) => boolean): boolean {
  if (textAt(question, "type") === "predicate") return knows("true") && knows("false");
  const choices = (listAt(question, "choices") ?? []).map((choice) =>
    isObject(choice) ? String(choice["value"]) : "",
  );
  return choices.length > 0 && choices.every(knows);
}

/** @param knows whether a value is one of the task's labels: a request may ask several questions, one of them ours */
export function readDecision(
  record: LogRecord,
  { request, response }: Exchange,
  knows: (value: string) => boolean,
): LoggedCall {
  const questions = listAt(request, "questions") ?? [];
  const answers = (listAt(response, "answers") ?? []).map(readDecisionAnswer);
  const at = Math.max(
    0,
    questions.findIndex((question) => offersLabels(question, knows)),
  );
  return {
    input: inputOf(request["input"]),
    prompt: wordingOf(questions[at]),
    answer: answers[at] ?? noAnswer(record),
    ...callOf(record, { request, response }),
  };
}

function readDecisionAnswer(answer: unknown): LoggedAnswer {
  const probability = numberAt(answer, "probability");
  if (textAt(answer, "type") === "predicate" && probability !== undefined) {
    const probabilities = { true: probability, false: 1 - probability };
    return { kind: "decision", value: String(probability >= 0.5), probabilities };
  }
  const choice = isObject(answer) ? answer["choice"] : undefined;
  if (typeof choice !== "string" && typeof choice !== "boolean")
    return { kind: "failed", message: "the question was refused" };
  const pairs = (listAt(answer, "probabilities") ?? []).flatMap((one) => {
    const share = numberAt(one, "probability");
    return isObject(one) && share !== undefined ? [[String(one["value"]), share] as const] : [];
  });
  return {
    kind: "decision",
    value: String(choice),
    ...(pairs.length > 0 && { probabilities: Object.fromEntries(pairs) }),
  };
}

/** The texts of the input, or its one JSON object; undefined where it is an image. */
function inputOf(input: unknown): unknown {
  if (typeof input === "string") return input;
  const parts = (Array.isArray(input) ? input : []).flatMap((message) => {
    const text = textAt(message, "content");
    return text === undefined ? (listAt(message, "content") ?? []) : [{ type: "input_text", text }];
  });
  const json = parts.find((part) => textAt(part, "type") === "input_json");
  if (isObject(json)) return json["data"];
  const texts = parts.map((part) => textAt(part, "text"));
  return texts.length > 0 && texts.every((text) => text !== undefined) ? texts.join("\n") : undefined;
}

function wordingOf(question: unknown): string {
  const instructions = textAt(question, "instructions");
  if (instructions !== undefined) return instructions;
  return (listAt(question, "instructions") ?? []).map((part) => textAt(part, "text") ?? "").join("\n");
}

function callOf(
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

function noAnswer(record: LogRecord): LoggedAnswer {
  const message = textAt(record, "error", "message") ?? textAt(record, "response", "body", "error", "message");
  return { kind: "failed", message: message ?? "the log holds no answer" };
}
