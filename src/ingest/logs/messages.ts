/** @file Chat messages, as OpenAI and as OpenTelemetry write them: who said what. */

import { isObject, listAt, objectAt, textAt } from "./fields.ts";
import type { LoggedAnswer } from "./logged-call.ts";

export type Conversation = {
  /** What the system and the developer said. */
  readonly prompt: string;
  /** The user's last words; undefined where the user said nothing that can be read (an image). */
  readonly input: string | undefined;
  /** The assistant's answer to them, where it stands among the messages. */
  readonly answer: LoggedAnswer | undefined;
};

export function readConversation(messages: readonly unknown[]): Conversation {
  const said = messages.map((message) => ({ role: textAt(message, "role") ?? "", message }));
  const instructions = said.filter(({ role }) => role === "system" || role === "developer");
  const lastUser = said.findLastIndex(({ role }) => role === "user");
  const reply = said.slice(lastUser + 1).find(({ role }) => role === "assistant");
  return {
    prompt: instructions.map(({ message }) => textOf(message) ?? "").join("\n"),
    input: lastUser < 0 ? undefined : textOf(said[lastUser]?.message),
    answer: reply && readAnswerMessage(reply.message),
  };
}

/** A string, OpenAI's content parts, or OpenTelemetry's `parts`; undefined where any of it is no text. */
function textOf(message: unknown): string | undefined {
  const content = textAt(message, "content");
  if (content !== undefined) return content;
  const parts = listAt(message, "content") ?? listAt(message, "parts");
  const texts = parts?.map((part) => textAt(part, "text") ?? textAt(part, "content"));
  return texts?.every((text) => text !== undefined) ? texts.join("\n") : undefined;
}

/** Words, else the arguments of the tool that was called, else the refusal. */
export function readAnswerMessage(message: unknown): LoggedAnswer {
  const refusal = textAt(message, "refusal");
  if (refusal) return { kind: "failed", message: `the model refused: ${refusal.slice(0, 200)}` };
  const text = textOf(message);
  if (text) return { kind: "text", text };
  const tool = objectAt(listAt(message, "tool_calls")?.[0], "function");
  const part = listAt(message, "parts")?.find((one) => textAt(one, "type") === "tool_call");
  const given = tool?.["arguments"] ?? (isObject(part) ? part["arguments"] : undefined);
  if (given !== undefined) return { kind: "text", text: typeof given === "string" ? given : JSON.stringify(given) };
  return { kind: "failed", message: "the log holds no answer" };
}
