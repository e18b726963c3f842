/** @file A request and its response, as loggers keep them: side by side, as JSON within JSON, or everything in one object. */

import { costOf, errorOf, isObject, latencyOf, objectAt, textAt, timeOf, unwrapped, usageOf } from "./fields.ts";
import type { LoggedAnswer, LoggedCall, LogRecord } from "./logged-call.ts";
import { failed, NO_ANSWER } from "./messages.ts";

export type Exchange = {
  readonly request: LogRecord;
  readonly response: LogRecord;
  /** All that was logged: both stand in it, or it is both. */
  readonly record: LogRecord;
};

export function exchangeOf(record: LogRecord): Exchange {
  const request = objectOf(record["request"] ?? record["body"] ?? record["kwargs"]) ?? record;
  const response = objectOf(record["response"] ?? record["completion"]) ?? record;
  return { request: objectAt(request, "body") ?? request, response: objectAt(response, "body") ?? response, record };
}

function objectOf(value: unknown): LogRecord | undefined {
  const found = unwrapped(value);
  return isObject(found) ? found : undefined;
}

/** One object that is request and response at once, and none of the two was kept for itself: a fine-tuning file, say. */
export const isWhole = ({ request, response, record }: Exchange): boolean =>
  request === record && response === record && !("response" in record) && !hasFailed({ request, response, record });

/** Whether the log says so, in whatever words. */
export const hasFailed = ({ response, record }: Exchange): boolean =>
  errorOf(response, record) !== undefined || textAt(record, "status") === "failure";

export function callOf({
  record,
  request,
  response,
}: Exchange): Pick<LoggedCall, "model" | "usage" | "costUsd" | "latencyMs" | "at"> {
  const model = [response, request, record].map(modelIn).find((name) => name !== undefined);
  const costUsd = costOf(record);
  const usage = usageOf(response);
  return {
    model,
    usage,
    ...(costUsd !== undefined && { costUsd }),
    latencyMs: latencyOf(record),
    at: timeOf(record, response),
  };
}

const modelIn = (record: LogRecord): string | undefined =>
  textAt(record, "model") ?? textAt(record, "modelVersion") ?? textAt(record, "model_version");

export function noAnswer({ record, response }: Exchange): LoggedAnswer {
  return failed(errorOf(response, record) ?? NO_ANSWER);
}
