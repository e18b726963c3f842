/** @file Runs as LangChain's tracer and LangSmith's exports write them. A chain or a tool that was run is no call of a model. */

import { type Exchange, exchangeOf } from "./exchange.ts";
import { costOf, dateOf, errorOf, firstNumber, isObject, listAt, objectAt, textAt, usageOf } from "./fields.ts";
import type { LoggedCall, LogRecord, ReadCalls } from "./logged-call.ts";
import { failed, NO_ANSWER, readQuestion, readReply } from "./messages.ts";

export const isRun = (record: LogRecord): boolean =>
  textAt(record, "run_type") !== undefined && record["inputs"] !== undefined;

/** @param readExchange for runs that hold a provider's own request and response */
export function readRun(record: LogRecord, readExchange: (exchange: Exchange) => LoggedCall | undefined): ReadCalls {
  const nested = (listAt(record, "child_runs") ?? []).filter(isObject).map((child) => readRun(child, readExchange));
  const type = textAt(record, "run_type");
  const own = type === "llm" || type === "chat_model" ? [readCall(record, readExchange)] : [];
  return {
    calls: [...own, ...nested.flatMap(({ calls }) => calls)],
    other: [
      ...(own.length === 0 ? [`runs are of type "${String(type).slice(0, 40)}", no call of a model`] : []),
      ...nested.flatMap(({ other }) => other),
    ],
  };
}

function readCall(record: LogRecord, readExchange: (exchange: Exchange) => LoggedCall | undefined): LoggedCall {
  const { inputs, outputs } = { inputs: objectAt(record, "inputs") ?? {}, outputs: objectAt(record, "outputs") ?? {} };
  const message = messageIn(outputs);
  const provided = readExchange(exchangeOf({ request: inputs, response: outputs }));
  const asked = readQuestion(messagesIn(inputs));
  const costUsd = costOf(record);
  const error = errorOf(record);
  return {
    ...asked,
    answer: error === undefined && message ? readReply(message, finishOf(message)) : failed(error ?? NO_ANSWER),
    ...provided,
    model: provided?.model ?? modelOf(record, outputs, message),
    usage: usageIn(record, outputs, message),
    ...(costUsd !== undefined && { costUsd }),
    ...timesOf(record),
  };
}

/** A list of messages, a list with that list in it (a batch of one), or prompts. */
function messagesIn(inputs: LogRecord): readonly unknown[] {
  const messages =
    listAt(inputs, "messages") ?? (listAt(inputs, "prompts") ?? []).map((content) => ({ role: "user", content }));
  const [first] = messages;
  return (Array.isArray(first) ? first : messages).map(plain);
}

/** `{ lc, id: [..., "HumanMessage"], kwargs }`, `{ type: "human", data }` or the message itself. */
function plain(message: unknown): unknown {
  const inside = objectAt(message, "kwargs") ?? objectAt(message, "data");
  if (!inside) return message;
  const kind = String(listAt(message, "id")?.at(-1) ?? "")
    .replace(/Message(Chunk)?$/, "")
    .toLowerCase();
  return { ...inside, role: textAt(inside, "role") ?? (kind || textAt(message, "type") || textAt(inside, "type")) };
}

function messageIn(outputs: LogRecord): unknown {
  const generation = listAt(outputs, "generations")?.[0];
  const first = Array.isArray(generation) ? generation[0] : generation;
  const message = objectAt(first, "message") ?? objectAt(outputs, "message") ?? objectAt(outputs, "output");
  const text = textAt(first, "text");
  if (message) return plain(message);
  return text === undefined ? undefined : { role: "assistant", content: text };
}

const finishOf = (message: unknown): string | undefined =>
  textAt(message, "response_metadata", "finish_reason") ?? textAt(message, "response_metadata", "stop_reason");

function modelOf(record: LogRecord, outputs: LogRecord, message: unknown): string | undefined {
  const parameters = objectAt(record, "extra", "invocation_params");
  return (
    textAt(message, "response_metadata", "model_name") ??
    textAt(outputs, "llm_output", "model_name") ??
    textAt(parameters, "model") ??
    textAt(parameters, "model_name") ??
    textAt(record, "extra", "metadata", "ls_model_name")
  );
}

function usageIn(record: LogRecord, outputs: LogRecord, message: unknown): LoggedCall["usage"] {
  const counted = objectAt(message, "usage_metadata") ?? objectAt(outputs, "usage_metadata") ?? record;
  const usage = { input: ["input_tokens", "prompt_tokens"], output: ["output_tokens", "completion_tokens"] };
  const [input, output] = [firstNumber(counted, usage.input), firstNumber(counted, usage.output)];
  if (input === undefined)
    return usageOf({ usage: objectAt(outputs, "llm_output", "token_usage") ?? outputs["usage"] });
  return { inputTokens: input, outputTokens: output ?? 0 };
}

function timesOf(record: LogRecord): Pick<LoggedCall, "latencyMs" | "at"> {
  const [start, end] = ["start_time", "end_time"].map((name) => dateOf([inUtc(textAt(record, name))]));
  if (start === undefined || end === undefined) return { latencyMs: 0, at: end ?? start };
  return { latencyMs: Math.max(0, end - start), at: end };
}

/** LangSmith's dates name no zone and mean UTC. */
const inUtc = (date: string | undefined): string | undefined =>
  date === undefined || /(?:Z|[+-]\d\d:?\d\d)$/.test(date) ? date : `${date.replace(" ", "T")}Z`;
