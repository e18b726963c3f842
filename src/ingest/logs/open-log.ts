/** @file A log that is about to be read: its format, the requests that belong to it, and the prompts that are the task's. */

import { goldColumns } from "../../columns.ts";
import { FlywheelError } from "../../errors.ts";
import { type FieldView, fieldsOf, hasFields } from "../../fields.ts";
import type { AnyTask } from "../../task.ts";
import type { IngestOptions } from "../ingest-options.ts";
import { openTable } from "../tables/open-table.ts";
import { type TableFile, TableFormat, type TableRecord } from "../tables/table.ts";
import { readRequests, requestsMissing } from "./batch-requests.ts";
import { createLogReader, type LogReader } from "./log-reader.ts";
import type { LogFormat, LoggedCall } from "./logged-call.ts";
import { createQuestionMatcher } from "./match-questions.ts";
import { createPromptCounter, type PromptSurvey } from "./prompt-survey.ts";
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

/** @throws FlywheelError `log_requests_missing`, `log_not_ours` */
export async function openLog(
  { file, format }: { readonly file: TableFile; readonly format: LogFormat },
  options: IngestOptions,
): Promise<LogReader> {
  const readCalls = await openCallReader(format, options);
  const fields = fieldsOf(options.task);
  const survey = await surveyPrompts(file, readCalls, fields);
  if (survey.prompts.length === 0 && format === "openai-batch" && options.requestsPath === undefined) {
    throw requestsMissing(file.source);
  }
  requireOurs(survey, file, options.task);
  const places = await surveyPlaces({ file, readCalls, survey, fields });
  return createLogReader({ format, readCalls, survey, places }, options);
}

export async function openCallReader(
  format: LogFormat,
  { task, requestsPath }: Pick<IngestOptions, "task" | "requestsPath">,
): Promise<CallReader> {
  const requests = await readRequests(requestsPath);
  return createCallReader(format, { requests, match: createQuestionMatcher(task) });
}

async function surveyPrompts(
  file: TableFile,
  readCalls: CallReader,
  fields: readonly FieldView[],
): Promise<PromptSurvey> {
  const counter = createPromptCounter();
  for await (const { prompt, answer } of callsIn(file, readCalls)) {
    counter.see(prompt, isAnswered(readAnswer(fields, answer, () => true)));
  }
  return counter.survey();
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
    `no prompt of ${source} is answered with the task's labels; the most frequent, "${most?.prompt}", was in ${most?.answered} of ${most?.calls} calls`,
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
  for await (const { prompt, answer } of callsIn(file, readCalls)) if (survey.isOurs(prompt)) places.see(answer);
  return places;
}

async function* callsIn(file: TableFile, readCalls: CallReader): AsyncGenerator<LoggedCall> {
  for await (const item of (await openTable(file)).items()) {
    if (item.kind === "record") yield* callsOr(readCalls, item);
  }
}

/** What cannot be read is refused when it is its turn. */
function callsOr(readCalls: CallReader, { fields }: TableRecord): readonly LoggedCall[] {
  try {
    return readCalls(fields).calls;
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return [];
    throw thrown;
  }
}
