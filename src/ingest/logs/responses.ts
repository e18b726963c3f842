/** @file Logs of OpenAI's Responses interface: `instructions` and `input`, and items that come back. */

import { readContent } from "./content.ts";
import { callOf, type Exchange, hasFailed, noAnswer } from "./exchange.ts";
import { isObject, listAt, textAt, unwrapped } from "./fields.ts";
import type { LoggedAnswer, LoggedCall } from "./logged-call.ts";
import { failed, joined, readQuestion } from "./messages.ts";

const isItem = (item: unknown): boolean =>
  ["message", "reasoning", "function_call", "custom_tool_call"].includes(textAt(item, "type") ?? "");

export const isResponses = (exchange: Exchange): boolean =>
  textAt(exchange.response, "object") === "response" ||
  (listAt(exchange.response, "output")?.some(isItem) ?? false) ||
  (hasFailed(exchange) && "input" in exchange.request && "instructions" in exchange.request);

export function readResponses(exchange: Exchange): LoggedCall {
  const { request, response } = exchange;
  const asked = readQuestion(itemsOf(request["input"] ?? request["messages"]));
  const instructions = readContent(request["instructions"] ?? response["instructions"]).text;
  return { ...asked, prompt: joined([instructions, asked.prompt]), answer: answerOf(exchange), ...callOf(exchange) };
}

/** A text is what the user says; a message among the items may leave out its type. */
function itemsOf(input: unknown): readonly unknown[] {
  const items = unwrapped(input);
  if (Array.isArray(items)) return items;
  return typeof input === "string" ? [{ role: "user", content: input }] : [];
}

function answerOf(exchange: Exchange): LoggedAnswer {
  const { response } = exchange;
  if (textAt(response, "status") === "incomplete") return failed("the answer was cut short");
  const items = (listAt(response, "output") ?? []).filter(isObject);
  const said = items.filter((item) => textAt(item, "type") === "message").map((item) => readContent(item["content"]));
  const refusal = said.find((content) => content.refusal)?.refusal;
  if (refusal) return failed(`the model refused: ${refusal.slice(0, 200)}`);
  const text = joined(said.map((content) => content.text)) || textAt(response, "output_text");
  const { tool } = readContent(items.filter((item) => textAt(item, "type") !== "message"));
  if (text) return { kind: "text", text, ...(tool !== undefined && { tool }) };
  return tool === undefined ? noAnswer(exchange) : { kind: "text", text: tool };
}
