/** @file Messages of a conversation, whoever wrote them down: who said what. */

import { type Content, readContent, toolBeside } from "./content.ts";
import { isObject, textAt } from "./fields.ts";
import type { LoggedAnswer, LoggedCall } from "./logged-call.ts";

export type Asked = Pick<LoggedCall, "input" | "foreign" | "prompt">;

/** Roles as every vendor calls them. */
const SYSTEM = ["system", "developer"];
const USER = ["user", "human"];
const ASSISTANT = ["assistant", "ai", "model"];

/**
 * The question that messages ask: instructions, and the user's last words. What the assistant says among them was said
 * before, or is an example or the beginning of the answer that is wanted: it is never the answer.
 */
export function readQuestion(messages: readonly unknown[]): Asked {
  const instructions = messages.filter((message) => SYSTEM.includes(roleOf(message)));
  const last = messages.findLast((message) => USER.includes(roleOf(message)));
  const { text, foreign } = last === undefined ? {} : contentOf(last);
  return {
    prompt: joined(instructions.map((message) => contentOf(message).text)),
    input: foreign === undefined ? text : undefined,
    ...(foreign !== undefined && { foreign }),
  };
}

/** The words of those that have any. */
export const joined = (texts: readonly (string | undefined)[]): string =>
  texts.filter((text) => text !== undefined && text !== "").join("\n");

/** The assistant's words behind the user's last, of a conversation that is over (a fine-tuning file). */
export function lastReply(messages: readonly unknown[]): LoggedAnswer | undefined {
  const lastUser = messages.findLastIndex((message) => USER.includes(roleOf(message)));
  const reply = messages.slice(lastUser + 1).find((message) => ASSISTANT.includes(roleOf(message)));
  return reply === undefined ? undefined : readReply(reply);
}

const roleOf = (message: unknown): string => (textAt(message, "role") ?? textAt(message, "type") ?? "").toLowerCase();

const contentOf = (message: unknown): Content =>
  isObject(message) ? readContent(message["content"] ?? message["parts"]) : readContent(message);

/** Every vendor's words for an answer that reached its limit. */
const CUT = ["length", "max_tokens", "max_output_tokens", "incomplete"];

/** And for one that a filter has withheld, wholly or from somewhere on. */
const WITHHELD: readonly string[] = [
  ...["content_filter", "content-filter", "refusal", "safety"],
  ...["recitation", "blocklist", "prohibited_content", "spii"],
];

export const NO_ANSWER = "the log holds no answer";

/** @param finish why the answer ended, where that does not stand in the message */
export function readReply(message: unknown, finish?: string): LoggedAnswer {
  const content = contentOf(message);
  const refusal = textAt(message, "refusal") ?? content.refusal;
  if (refusal) return failed(`the model refused: ${refusal.slice(0, 200)}`);
  // At the limit a label may be the beginning of another.
  const ended = finish ?? textAt(message, "finish_reason") ?? "";
  if (CUT.includes(ended.toLowerCase())) return failed("the answer was cut short");
  if (WITHHELD.includes(ended.toLowerCase())) return failed("the answer was withheld by a filter");
  const tool = content.tool ?? toolBeside(message);
  if (content.text) return { kind: "text", text: content.text, ...(tool !== undefined && { tool }) };
  return tool === undefined ? failed(NO_ANSWER) : { kind: "text", text: tool };
}

export const failed = (message: string): LoggedAnswer => ({ kind: "failed", message });
