/** @file Logs of Google's `generateContent`, as the interface has it and as its Python library writes it down. */

import { readContent } from "./content.ts";
import { callOf, type Exchange, hasFailed, noAnswer } from "./exchange.ts";
import { isObject, listAt, objectAt, textAt } from "./fields.ts";
import type { LoggedCall } from "./logged-call.ts";
import { failed, joined, readQuestion, readReply } from "./messages.ts";

export const isGemini = (exchange: Exchange): boolean =>
  exchange.request["contents"] !== undefined &&
  (listAt(exchange.response, "candidates") !== undefined ||
    objectAt(exchange.response, "promptFeedback") !== undefined ||
    objectAt(exchange.response, "prompt_feedback") !== undefined ||
    hasFailed(exchange));

export function readGemini(exchange: Exchange): LoggedCall {
  const asked = readQuestion(turnsOf(exchange.request["contents"]));
  return {
    ...asked,
    prompt: joined([systemOf(exchange), asked.prompt]),
    answer: answerOf(exchange),
    ...callOf(exchange),
  };
}

/** A text or a list of parts is one turn of the user; a turn without a role is the user's, too. */
function turnsOf(contents: unknown): readonly unknown[] {
  const turns = Array.isArray(contents) ? contents : [contents];
  const isParts = turns.every((turn) => typeof turn === "string" || (isObject(turn) && !("parts" in turn)));
  if (isParts) return [{ role: "user", parts: turns }];
  return turns.map((turn) =>
    isObject(turn) ? { ...turn, role: turn["role"] ?? "user" } : { role: "user", content: turn },
  );
}

function systemOf({ request }: Exchange): string | undefined {
  const places = [request, objectAt(request, "config"), objectAt(request, "generationConfig")];
  const given = places.flatMap((place) => [place?.["systemInstruction"], place?.["system_instruction"]]);
  const system = given.find((one) => one !== undefined && one !== null);
  return readContent(isObject(system) ? (system["parts"] ?? system) : system).text;
}

function answerOf(exchange: Exchange): LoggedCall["answer"] {
  const candidate = listAt(exchange.response, "candidates")?.[0];
  const content = objectAt(candidate, "content");
  const finish = textAt(candidate, "finishReason") ?? textAt(candidate, "finish_reason");
  if (content) return readReply(content, finish?.replace(/^FinishReason\./, ""));
  return candidate === undefined
    ? noAnswer(exchange)
    : failed(`the model gave no answer: ${finish ?? "no reason said"}`);
}
