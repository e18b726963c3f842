/** @file A log that is about to be read: its format, the requests that belong to it, and the prompts that are the task's. */

import { goldColumns } from "../../columns.ts";
import { FlywheelError } from "../../errors.ts";
import { normaliseLabel, type Task } from "../../task.ts";
import type { IngestOptions, LogOptions } from "../ingest-options.ts";
import { formatOf, openTable } from "../tables/open-table.ts";
import { type TableFile, TableFormat, type TableRecord } from "../tables/table.ts";
import { objectAt, textAt } from "./fields.ts";
import { createLogReader, type LogReader, labelOf } from "./log-reader.ts";
import type { LogFormat, LogRecord } from "./logged-call.ts";
import { createPromptCounter, type PromptSurvey } from "./prompt-survey.ts";
import { type CallReader, createCallReader, recogniseLog } from "./recognise.ts";

export const isTableFormat = (format: TableFormat | LogFormat | undefined): format is TableFormat =>
  TableFormat.some((one) => one === format);

/** What the user says, else what JSON looks like. What has columns that the task names is a table. */
export function logFormatOf(
  { format, task }: IngestOptions,
  file: TableFile,
  records: readonly TableRecord[],
): LogFormat | undefined {
  if (format !== undefined) return isTableFormat(format) ? undefined : format;
  if (file.format !== "jsonl" && file.format !== "json") return undefined;
  const { text, features } = task.columns;
  const gold = goldColumns(task.columns).map(({ column }) => column);
  const named = [text, ...gold, ...(features === "auto" ? [] : Object.keys(features))];
  if (named.some((name) => name !== undefined && records.some(({ fields }) => name in fields))) return undefined;
  return recogniseLog(records.map(({ fields }) => fields));
}

/** @throws FlywheelError `log_requests_missing`, `log_not_ours` */
export async function openLog(
  { file, format }: { readonly file: TableFile; readonly format: LogFormat },
  options: LogOptions,
): Promise<LogReader> {
  const readCalls = await openCallReader(format, options);
  const survey = await surveyPrompts(file, readCalls, options.task);
  if (survey.prompts.length === 0 && format === "openai-batch" && options.requestsPath === undefined) {
    throw new FlywheelError(
      "log_requests_missing",
      `${file.source} is the output of a batch and does not hold what was asked`,
      {
        hint: "give the file that the batch was made from: --requests batch-input.jsonl",
      },
    );
  }
  return createLogReader({ format, readCalls, survey }, options);
}

export async function openCallReader(
  format: LogFormat,
  { task, requestsPath }: Pick<LogOptions, "task" | "requestsPath">,
): Promise<CallReader> {
  const requests = requestsPath === undefined ? new Map() : await readRequests(requestsPath);
  return createCallReader(format, { requests, knows: (value) => normaliseLabel(task, value) !== undefined });
}

async function readRequests(path: string): Promise<ReadonlyMap<string, LogRecord>> {
  const table = await openTable({ path, source: path, format: formatOf(path) ?? "jsonl" });
  const requests = new Map<string, LogRecord>();
  for await (const item of table.items()) {
    const id = item.kind === "record" ? textAt(item.fields, "custom_id") : undefined;
    const body = item.kind === "record" ? objectAt(item.fields, "body") : undefined;
    if (id !== undefined && body) requests.set(id, body);
  }
  return requests;
}

async function surveyPrompts(file: TableFile, readCalls: CallReader, task: Task): Promise<PromptSurvey> {
  const counter = createPromptCounter();
  for await (const item of (await openTable(file)).items()) {
    if (item.kind !== "record") continue;
    for (const { prompt, answer } of callsOr(readCalls, item)) counter.see(prompt, labelOf(task, answer) !== undefined);
  }
  const survey = counter.survey();
  if (survey.prompts.length === 0 || survey.prompts.some(({ isOurs }) => isOurs)) return survey;
  const [most] = survey.prompts;
  throw new FlywheelError(
    "log_not_ours",
    `no prompt of ${file.source} is answered with the task's labels; the most frequent, "${most?.prompt}", was in ${most?.answered} of ${most?.calls} calls`,
    {
      hint: "check the choices of the task, and give their other spellings as synonyms; if it is a table and no log, name its column as columns.text",
    },
  );
}

/** What cannot be read is refused when it is its turn. */
function callsOr(readCalls: CallReader, { fields }: TableRecord) {
  try {
    return readCalls(fields).calls;
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return [];
    throw thrown;
  }
}
