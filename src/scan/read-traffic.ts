/** @file The calls of a log, whichever kind it is, with the time that they span. No task is needed: nothing is asked of anybody. */

import { normalize } from "node:path";
import type { Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { readRequests, requestsMissing } from "../ingest/logs/batch-requests.ts";
import { textAt } from "../ingest/logs/fields.ts";
import type { LogFormat, LoggedCall } from "../ingest/logs/logged-call.ts";
import type { QuestionMatcher } from "../ingest/logs/match-questions.ts";
import { createNamedCounts } from "../ingest/logs/named-counts.ts";
import { noCalls } from "../ingest/logs/open-log.ts";
import { type CallReader, createCallReader, recogniseLog } from "../ingest/logs/recognise.ts";
import { CONSOLE_PRINT } from "../ingest/tables/json-lines.ts";
import { formatOf, openTable } from "../ingest/tables/open-table.ts";
import type { TableRecord } from "../ingest/tables/table.ts";

/** Calls kept in memory; a first look needs no more. */
const MAX_CALLS = 50_000;
const SAMPLE = 100;

export type TrafficOptions = {
  readonly path: string;
  readonly format?: LogFormat | undefined;
  /** Of a batch's output: the file that the batch was made from. */
  readonly requestsPath?: string | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type Traffic = {
  readonly source: string;
  readonly format: LogFormat;
  readonly calls: readonly LoggedCall[];
  /** Calls in the log; more than `calls` where it is longer than a first look. */
  readonly total: number;
  /** Calls without an answer: they failed, were refused or cut short. */
  readonly failed: number;
  /** Lines that could not be read, and spans that are no calls of a model. */
  readonly unread: number;
  /** The same by what they are. */
  readonly unreadAs: Readonly<Record<string, number>>;
  /** Between the first call and the last; absent where the log does not say. */
  readonly spanMs?: number;
};

/** @throws FlywheelError `scan_no_log`, `log_no_calls`, `log_requests_missing`, and as `openTable` */
export async function readTraffic(options: TrafficOptions): Promise<Traffic> {
  const { path, progress, signal } = options;
  const source = normalize(path);
  const { total: lines } = await openLog(path, source);
  const { format, readCalls } = await recognise(options, source);
  const calls: LoggedCall[] = [];
  const unread = createNamedCounts();
  let [total, failed, read] = [0, 0, 0];
  for await (const item of (await openLog(path, source)).items()) {
    signal?.throwIfAborted();
    const found = item.kind === "record" ? callsOf(readCalls, item) : undefined;
    if (!found) unread.add(item.kind === "record" ? NO_REQUEST : "lines could not be read");
    else {
      for (const what of found.other) unread.add(what);
      total += found.calls.length;
      failed += found.calls.filter(({ answer }) => answer.kind === "failed").length;
      calls.push(...found.calls.slice(0, MAX_CALLS - calls.length));
    }
    progress?.({ stage: "read", done: ++read, ...(lines !== undefined && { total: lines }) });
  }
  if (format === "openai-batch" && total === 0 && options.requestsPath === undefined) throw requestsMissing(source);
  const unreadAs = unread.all();
  if (total === 0) throw noCalls(source, unreadAs);
  const spanMs = spanOf(calls);
  const count = Object.values(unreadAs).reduce((sum, one) => sum + one, 0);
  return { source, format, calls, total, failed, unread: count, unreadAs, ...(spanMs !== undefined && { spanMs }) };
}

const NO_REQUEST = "answers of a batch have no request in the file that was given";

const openLog = (path: string, source: string) => openTable({ path, source, format: formatOf(path) ?? "jsonl" });

async function recognise({ path, format, requestsPath }: TrafficOptions, source: string) {
  const { records, refusals } = await firstItems(path, source);
  const found = format ?? recogniseLog(records);
  if (found) {
    const requests = await readRequests(requestsPath);
    return { format: found, readCalls: createCallReader(found, { match: everyQuestion, requests }) };
  }
  throw new FlywheelError(
    "scan_no_log",
    `${source} is no log of calls that is known here${whyUnread(records, refusals)}`,
    {
      hint: "chat, Responses, Decisions, Messages and Gemini logs, batch outputs, LangChain runs, OpenTelemetry and {input, output} lines are read (docs/logs.md); say which with --format",
    },
  );
}

/** All questions, by name; one alone is the answer as such. */
const everyQuestion: QuestionMatcher = (questions) =>
  questions.length === 1
    ? [""]
    : questions.map((question, index) => textAt(question, "name") ?? `question ${index + 1}`);

type First = { readonly records: readonly TableRecord["fields"][]; readonly refusals: readonly string[] };

async function firstItems(path: string, source: string): Promise<First> {
  const records: TableRecord["fields"][] = [];
  const refusals: string[] = [];
  for await (const item of (await openLog(path, source)).items()) {
    if (item.kind === "record") records.push(item.fields);
    else refusals.push(item.message);
    if (records.length + refusals.length === SAMPLE) break;
  }
  return { records, refusals };
}

/** Where nothing could be read at all, the first reason, or the one that says what the file is instead. */
function whyUnread(records: First["records"], refusals: First["refusals"]): string {
  const why = refusals.find((reason) => reason.includes(CONSOLE_PRINT)) ?? refusals[0];
  return records.length > 0 || why === undefined ? "" : `: ${why}`;
}

function callsOf(readCalls: CallReader, { fields }: TableRecord) {
  try {
    return readCalls(fields);
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return undefined;
    throw thrown;
  }
}

/** Shorter logs say nothing of a month. */
const LEAST_SPAN_MS = 3_600_000;

function spanOf(calls: readonly LoggedCall[]): number | undefined {
  let [first, last, timed] = [Infinity, -Infinity, 0];
  for (const { at } of calls) {
    if (at === undefined) continue;
    first = Math.min(first, at);
    last = Math.max(last, at);
    timed++;
  }
  return timed > calls.length / 2 && last - first >= LEAST_SPAN_MS ? last - first : undefined;
}
