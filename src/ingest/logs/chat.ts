/** @file Messages that a model answers: OpenAI's chat completions, and Anthropic's Messages, which differ in what comes back. */

import { readContent } from "./content.ts";
import { callOf, type Exchange, hasFailed, isWhole, noAnswer } from "./exchange.ts";
import { isObject, listAt, objectAt, textAt, unwrapped } from "./fields.ts";
import type { LoggedAnswer, LoggedCall } from "./logged-call.ts";
import { joined, lastReply, readQuestion, readReply } from "./messages.ts";

const messagesOf = ({ request }: Exchange): readonly unknown[] | undefined => {
  const messages = unwrapped(request["messages"]);
  return Array.isArray(messages) ? messages : undefined;
};

export const isAnthropic = (exchange: Exchange): boolean =>
  messagesOf(exchange) !== undefined &&
  textAt(exchange.response, "type") === "message" &&
  listAt(exchange.response, "content") !== undefined;

/** One that failed is one too; a conversation that nobody answered is none. */
export function isChat(exchange: Exchange): boolean {
  const messages = messagesOf(exchange);
  if (!messages) return false;
  const isAnswered = listAt(exchange.response, "choices") !== undefined || hasFailed(exchange);
  return isAnswered || (isWhole(exchange) && lastReply(messages) !== undefined);
}

export function readChat(exchange: Exchange): LoggedCall {
  const messages = messagesOf(exchange) ?? [];
  const asked = readQuestion(messages);
  const system = readContent(exchange.request["system"]).text;
  return {
    ...asked,
    prompt: joined([system, asked.prompt]),
    answer: answerOf(exchange) ?? (isWhole(exchange) ? lastReply(messages) : undefined) ?? noAnswer(exchange),
    ...callOf(exchange),
  };
}

function answerOf({ response }: Exchange): LoggedAnswer | undefined {
  const choice = listAt(response, "choices")?.[0];
  const message = objectAt(choice, "message");
  if (message) return readReply(message, textAt(choice, "finish_reason"));
  const isMessage = textAt(response, "type") === "message" && isObject(response);
  return isMessage ? readReply(response, textAt(response, "stop_reason")) : undefined;
}
