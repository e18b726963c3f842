/** @file A log that is about to be read: its format, the requests that belong to it, and the prompts that are the task's. */

import { excerptOf } from "../../answer.ts";
import { goldColumns } from "../../columns.ts";
import { FlywheelError } from "../../errors.ts";
import { type FieldView, fieldsOf, hasFields } from "../../fields.ts";
import type { AnyTask } from "../../task.ts";
import type { IngestOptions } from "../ingest-options.ts";
import { openTable } from "../tables/open-table.ts";
import { type TableFile, TableFormat, type TableRecord } from "../tables/table.ts";
import { readRequests, requestsMissing } from "./batch-requests.ts";
import { createLogReader, type LogReader } from "./log-reader.ts";
import type { LogFormat, LoggedAnswer, ReadCalls } from "./logged-call.ts";
import { createQuestionMatcher } from "./match-questions.ts";
import { createNamedCounts, sayCounts } from "./named-counts.ts";
import { createPromptCounter, type PromptSurvey, type Seen } from "./prompt-survey.ts";
import { isAnswered, readAnswer } from "./read-answer.ts";
import { type CallReader, createCallReader, recogniseLog } from "./recognise.ts";
import { createScorePlaces, type ScorePlaces } from "./score-places.ts";

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

/** @throws FlywheelError `log_requests_missing`, `log_no_calls`, `log_not_ours` */
export async function openLog(
  { file, format }: { readonly file: TableFile; readonly format: LogFormat },
  options: IngestOptions,
): Promise<LogReader> {
  const openCalls = await callReaders(format, options);
  const fields = fieldsOf(options.task);
  const { survey, unread } = await surveyPrompts(file, openCalls(), fields);
  if (survey.prompts.length === 0 && format === "openai-batch" && options.requestsPath === undefined) {
    throw requestsMissing(file.source);
  }
  if (survey.prompts.length === 0 && Object.keys(unread).length > 0) throw noCalls(file.source, unread);
  requireOurs(survey, file, options.task);
  const places = await surveyPlaces({ file, readCalls: openCalls(), survey, fields });
  return createLogReader({ format, readCalls: openCalls(), survey, places }, options);
}

export const noCalls = (source: string, unread: Readonly<Record<string, number>>): FlywheelError =>
  new FlywheelError("log_no_calls", `no call could be read in ${source}: ${sayCounts(unread)}`, {
    hint: "docs/logs.md lists what is read; instrumentations record the words of a call only where that is turned on (OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true); if it is a table and no log, name its column as columns.text",
  });

/** A reader for each time that the log is read. */
async function callReaders(
  format: LogFormat,
  { task, requestsPath }: Pick<IngestOptions, "task" | "requestsPath">,
): Promise<() => CallReader> {
  const requests = await readRequests(requestsPath);
  const match = createQuestionMatcher(task);
  return () => createCallReader(format, { requests, match });
}

type Surveyed = { readonly survey: PromptSurvey; readonly unread: Readonly<Record<string, number>> };

async function surveyPrompts(file: TableFile, readCalls: CallReader, fields: readonly FieldView[]): Promise<Surveyed> {
  const counter = createPromptCounter();
  const unread = createNamedCounts();
  for await (const { calls, other } of callsIn(file, readCalls)) {
    for (const { prompt, answer } of calls) {
      const seen = seenIn(fields, answer);
      counter.see(prompt, seen, seen === "other" && answer.kind === "text" ? excerptOf(answer) : undefined);
    }
    for (const what of other) unread.add(what);
  }
  return { survey: counter.survey(), unread: unread.all() };
}

function seenIn(fields: readonly FieldView[], answer: LoggedAnswer): Seen {
  if (answer.kind === "failed") return "failed";
  return isAnswered(readAnswer(fields, answer, () => true)) ? "label" : "other";
}

/** @throws FlywheelError `log_not_ours` */
function requireOurs({ prompts }: PromptSurvey, { source }: TableFile, task: AnyTask): void {
  if (prompts.length === 0 || prompts.some(({ isOurs }) => isOurs)) return;
  const [most] = prompts;
  const looked = hasFields(task)
    ? "answers are read as a JSON object with a property for each field, or as a decision with a question for each; check the names of the fields and their choices, and give other spellings as synonyms"
    : "check the choices of the task, and give their other spellings as synonyms";
  throw new FlywheelError(
    "log_not_ours",
    `no prompt of ${source} is answered with the task's labels; the most frequent, "${most?.prompt}", was in ${most?.answered} of ${most?.calls} calls${most?.failed ? `, ${most.failed} of which failed` : ""}${most?.example ? `; one answer was ${JSON.stringify(most.example)}` : ""}`,
    { hint: `${looked}; if it is a table and no log, name its column as columns.text` },
  );
}

type PlaceSources = {
  readonly file: TableFile;
  readonly readCalls: CallReader;
  readonly survey: PromptSurvey;
  readonly fields: readonly FieldView[];
};

/** Reads the log once more, where the task has scores to look for among several fields. */
async function surveyPlaces({ file, readCalls, survey, fields }: PlaceSources): Promise<ScorePlaces> {
  const places = createScorePlaces(fields);
  if (!places.isWanted) return places;
  for await (const { calls } of callsIn(file, readCalls))
    for (const { prompt, answer } of calls) if (survey.isOurs(prompt)) places.see(answer);
  return places;
}

async function* callsIn(file: TableFile, readCalls: CallReader): AsyncGenerator<ReadCalls> {
  for await (const item of (await openTable(file)).items()) {
    if (item.kind === "record") yield callsOr(readCalls, item);
  }
}

/** What cannot be read is refused when it is its turn. */
function callsOr(readCalls: CallReader, { fields }: TableRecord): ReadCalls {
  try {
    return readCalls(fields);
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return { calls: [], other: [] };
    throw thrown;
  }
}
