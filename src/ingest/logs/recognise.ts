/** @file Which log a file is, by its first records; and the calls of each record, which may be of several kinds in one log. */

import { FlywheelError } from "../../errors.ts";
import { isAnthropic, isChat, readChat } from "./chat.ts";
import { isDecision, readDecision } from "./decision.ts";
import { type Exchange, exchangeOf } from "./exchange.ts";
import { costOf, isObject, latencyOf, objectAt, textAt, timeOf, unwrapped, usageOf } from "./fields.ts";
import { isGemini, readGemini } from "./gemini.ts";
import { isRun, readRun } from "./langchain.ts";
import type { LogFormat, LoggedAnswer, LoggedCall, LogRecord, ReadCalls } from "./logged-call.ts";
import type { QuestionMatcher } from "./match-questions.ts";
import { failed, NO_ANSWER, readQuestion } from "./messages.ts";
import { createTelemetryReader } from "./otel/read-telemetry.ts";
import { isTelemetry } from "./otel/span.ts";
import { isResponses, readResponses } from "./responses.ts";

/** Share of the first records that must be calls of any kind, in the shapes that nothing else has. */
const MIN_SHARE = 0.5;
/** Pairs of input and output could be a table as well. */
const MIN_PLAIN_SHARE = 0.8;

/** The commonest kind of its calls; undefined where it is no log: then it is a table. */
export function recogniseLog(records: readonly LogRecord[]): LogFormat | undefined {
  const kinds = records.flatMap((record) => kindOf(record) ?? []);
  const certain = kinds.filter((kind) => kind !== "input-output");
  if (kinds.length === 0) return undefined;
  if (certain.length >= MIN_SHARE * records.length) return commonest(certain);
  return kinds.length >= MIN_PLAIN_SHARE * records.length ? commonest(kinds) : undefined;
}

function commonest(kinds: readonly LogFormat[]): LogFormat | undefined {
  const [most] = [...Map.groupBy(kinds, (kind) => kind)].toSorted((a, b) => b[1].length - a[1].length);
  return most?.[0];
}

function kindOf(record: LogRecord): LogFormat | undefined {
  if (isBatch(record)) return "openai-batch";
  if (isTelemetry(record)) return "otel";
  if (isRun(record)) return "langchain";
  return exchangeKindOf(exchangeOf(record)) ?? (isPlain(record) ? "input-output" : undefined);
}

type ExchangeKind = "openai-decisions" | "openai-responses" | "anthropic" | "gemini" | "openai-chat";

function exchangeKindOf(exchange: Exchange): ExchangeKind | undefined {
  if (isDecision(exchange)) return "openai-decisions";
  if (isResponses(exchange)) return "openai-responses";
  if (isAnthropic(exchange)) return "anthropic";
  if (isGemini(exchange)) return "gemini";
  return isChat(exchange) ? "openai-chat" : undefined;
}

const isBatch = (record: LogRecord): boolean =>
  textAt(record, "custom_id") !== undefined && ["response", "error", "result"].some((name) => name in record);

const OUTPUTS = ["output", "completion", "response"];
const INPUTS = ["input", "prompt"];

const isPlain = (record: LogRecord): boolean =>
  INPUTS.some((name) => record[name] !== undefined) && OUTPUTS.some((name) => record[name] !== undefined);

export type CallReader = (record: LogRecord) => ReadCalls;

export type CallReaderOptions = {
  readonly match: QuestionMatcher;
  /** Requests of a batch by `custom_id`. */
  readonly requests: ReadonlyMap<string, LogRecord>;
};

/**
 * Reads each record as what it is, and what shows no kind as the log's. Remembers the spans that it has read: one reader for
 * one reading of one log, from its start.
 */
export function createCallReader(format: LogFormat, { match, requests }: CallReaderOptions): CallReader {
  const readTelemetry = createTelemetryReader();
  return (record) => {
    const kind = kindOf(record);
    switch (kind ?? format) {
      case "openai-batch":
        return kind ? one(readBatch(record, { match, requests })) : unknown(record);
      case "otel":
        return kind ? readTelemetry(record) : unknown(record);
      case "langchain":
        return kind ? readRun(record, (exchange) => readExchange(exchange, match)) : unknown(record);
      case "input-output":
        return one(readPlain(record));
      default: {
        const call = readExchange(exchangeOf(record), match);
        return call ? one(call) : unknown(record);
      }
    }
  };
}

const one = (call: LoggedCall): ReadCalls => ({ calls: [call], other: [] });

const SHOWN_KEYS = 3;

function unknown(record: LogRecord): ReadCalls {
  const keys = Object.keys(record)
    .slice(0, SHOWN_KEYS)
    .map((key) => `\`${key.slice(0, 40)}\``);
  return {
    calls: [],
    other: [`lines with ${keys.join(", ") || "nothing in them"} are no call that this version reads`],
  };
}

/** Undefined where it is none that is known. */
function readExchange(exchange: Exchange, match: QuestionMatcher): LoggedCall | undefined {
  const kind = exchangeKindOf(exchange);
  switch (kind) {
    case "openai-decisions":
      return readDecision(exchange, match);
    case "openai-responses":
      return readResponses(exchange);
    case "gemini":
      return readGemini(exchange);
    case "anthropic":
    case "openai-chat":
      return readChat(exchange);
    case undefined:
      return undefined;
    default:
      return kind satisfies never;
  }
}

/** @throws FlywheelError `log_request_missing` */
function readBatch(record: LogRecord, { match, requests }: CallReaderOptions): LoggedCall {
  const id = textAt(record, "custom_id") ?? "";
  const request = objectAt(record, "body") ?? requests.get(id);
  if (!request) {
    throw new FlywheelError(
      "log_request_missing",
      `the request ${JSON.stringify(id)} is not in the batch's input file`,
      {
        hint: "give the file that the batch was made from with --requests",
      },
    );
  }
  const exchange: Exchange = { request, response: responseIn(record) ?? {}, record };
  return readExchange(exchange, match) ?? (isResponsesRequest(request) ? readResponses(exchange) : readChat(exchange));
}

/** Anthropic calls it the message of a result. */
const responseIn = (record: LogRecord): LogRecord | undefined =>
  objectAt(record, "response", "body") ?? objectAt(record, "result", "message") ?? objectAt(record, "result");

const isResponsesRequest = (request: LogRecord): boolean => "input" in request && !("messages" in request);

function readPlain(record: LogRecord): LoggedCall {
  const given = INPUTS.map((name) => unwrapped(record[name])).find((value) => value !== undefined);
  const output = OUTPUTS.map((name) => record[name]).find((value) => value !== undefined);
  // Some plain logs keep the messages.
  const asked = Array.isArray(given) ? readQuestion(given) : { input: given, prompt: "" };
  const costUsd = costOf(record);
  return {
    ...asked,
    prompt: textAt(record, "instructions") ?? textAt(record, "system") ?? asked.prompt,
    answer: plainAnswer(output),
    model: textAt(record, "model"),
    usage: usageOf(record),
    ...(costUsd !== undefined && { costUsd }),
    latencyMs: latencyOf(record),
    at: timeOf(record, record),
  };
}

function plainAnswer(output: unknown): LoggedAnswer {
  if (output === null || output === undefined || output === "") return failed(NO_ANSWER);
  return { kind: "text", text: isObject(output) ? JSON.stringify(output) : String(output) };
}
