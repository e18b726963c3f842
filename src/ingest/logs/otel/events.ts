/**
 * @file Calls that are written down as events: one with all the words (`gen_ai.client.inference.operation.details`), or a
 * message an event (`gen_ai.user.message`, …, `gen_ai.choice`), which belong together by their span.
 */

import { isObject, objectAt, textAt, unwrapped } from "../fields.ts";
import type { LoggedCall } from "../logged-call.ts";
import { readQuestion, readReply } from "../messages.ts";
import type { SpanEvent } from "./span.ts";

export type EventReader = {
  /** A call once its answer comes; undefined for a message that waits for it. */
  read(event: SpanEvent): LoggedCall | undefined;
};

const MESSAGE = /^gen_ai\.(system|user|assistant|tool)\.message$/;
const CHOICE = "gen_ai.choice";

export const isMessageEvent = ({ name }: SpanEvent): boolean => MESSAGE.test(name) || name === CHOICE;

/** Calls whose answers have not come yet. */
const MAX_OPEN = 10_000;

export function createEventReader(limit = MAX_OPEN): EventReader {
  const open = new Map<string, unknown[]>();
  return {
    read(event) {
      const id = event.id ?? "";
      if (event.name !== CHOICE) {
        if (!open.has(id) && open.size >= limit) open.delete(open.keys().next().value!);
        const messages = open.get(id) ?? [];
        open.set(id, messages);
        messages.push(messageOf(event));
        return undefined;
      }
      const messages = open.get(id);
      open.delete(id);
      return messages && callOf(messages, event);
    },
  };
}

/** All events of one span at once. */
export function readMessageEvents(events: readonly SpanEvent[]): LoggedCall | undefined {
  const choice = events.find(({ name }) => name === CHOICE);
  const messages = events.filter(({ name }) => name !== CHOICE).map(messageOf);
  return messages.length > 0 && choice ? callOf(messages, choice) : undefined;
}

function callOf(messages: readonly unknown[], choice: SpanEvent): LoggedCall {
  const said = bodyOf(choice);
  const message = objectAt(said, "message") ?? said;
  return {
    ...readQuestion(messages),
    answer: readReply(message, textAt(said, "finish_reason")),
    usage: { inputTokens: 0, outputTokens: 0 },
    latencyMs: 0,
    at: choice.at,
  };
}

function messageOf(event: SpanEvent): unknown {
  const body = bodyOf(event);
  const role = MESSAGE.exec(event.name)?.[1];
  return isObject(body) ? { role, ...body } : { role, content: body };
}

/** In the body, in one attribute as JSON (Azure, Semantic Kernel), or in attributes. */
function bodyOf({ body, attributes }: SpanEvent): unknown {
  const found = unwrapped(body ?? attributes["gen_ai.event.content"]);
  return found === undefined || (isObject(found) && Object.keys(found).length === 0) ? attributes : found;
}
