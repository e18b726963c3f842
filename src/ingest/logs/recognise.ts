/** @file Which log a file is, by its first records; and the calls of each record. */

import { FlywheelError } from "../../errors.ts";
import { isDecision, readDecision } from "./decision.ts";
import { isObject, latencyOf, objectAt, textAt, timeOf, unwrapped, usageOf } from "./fields.ts";
import type { LogFormat, LoggedAnswer, LoggedCall, LogRecord, ReadCalls } from "./logged-call.ts";
import type { QuestionMatcher } from "./match-questions.ts";
import { type Exchange, exchangeOf, isChat, readChat } from "./openai.ts";
import { isOtel, readSpans } from "./otel.ts";

/** Share of the first records that must look like the log. */
const MOST = 0.8;

/** Undefined where it is none: then it is a table. */
export function recogniseLog(records: readonly LogRecord[]): LogFormat | undefined {
  const isMost = (looks: (record: LogRecord) => boolean) =>
    records.length > 0 && records.filter(looks).length >= MOST * records.length;
  if (isMost(isBatch)) return "openai-batch";
  if (isMost(isOtel)) return "otel";
  if (isMost((record) => isDecision(exchangeOf(record)))) return "openai-decisions";
  if (isMost((record) => isChat(exchangeOf(record)))) return "openai-chat";
  return isMost(isPlain) ? "input-output" : undefined;
}

const isBatch = (record: LogRecord): boolean =>
  textAt(record, "custom_id") !== undefined && ("response" in record || "error" in record);

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

export function createCallReader(format: LogFormat, options: CallReaderOptions): CallReader {
  const one = (call: LoggedCall): ReadCalls => ({ calls: [call], other: 0 });
  switch (format) {
    case "openai-chat":
      return (record) => one(readChat(record, exchangeOf(record)));
    case "openai-decisions":
      return (record) => one(readDecision(record, exchangeOf(record), options.match));
    case "openai-batch":
      return (record) => one(readBatch(record, options));
    case "otel":
      return readSpans;
    case "input-output":
      return (record) => one(readPlain(record));
    default:
      return format satisfies never;
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
  const exchange: Exchange = { request, response: objectAt(record, "response", "body") ?? {} };
  return isDecision(exchange) ? readDecision(record, exchange, match) : readChat(record, exchange);
}

function readPlain(record: LogRecord): LoggedCall {
  const given = INPUTS.map((name) => record[name]).find((value) => value !== undefined);
  const output = OUTPUTS.map((name) => record[name]).find((value) => value !== undefined);
  return {
    input: Array.isArray(unwrapped(given)) ? lastText(unwrapped(given)) : given,
    prompt: textAt(record, "instructions") ?? textAt(record, "system") ?? "",
    answer: plainAnswer(output),
    model: textAt(record, "model"),
    usage: usageOf(record),
    latencyMs: latencyOf(record),
    at: timeOf(record, record),
  };
}

/** Some plain logs keep the messages. */
function lastText(messages: unknown): string | undefined {
  return Array.isArray(messages) ? textAt(messages.at(-1), "content") : undefined;
}

function plainAnswer(output: unknown): LoggedAnswer {
  if (output === null || output === undefined || output === "")
    return { kind: "failed", message: "the log holds no answer" };
  return { kind: "text", text: isObject(output) ? JSON.stringify(output) : String(output) };
}
