/**
 * @file A log as rows with the answers that came with them.
 *
 * Which calls are this task's is found out first, prompt by prompt: a log holds the calls of a whole application, and a
 * prompt whose answers are mostly no labels of the task asks something else. Of the prompts that are the task's, every call
 * becomes a row, also where the answer cannot be read: leaving those out would leave only the easy ones.
 */

import { createHash } from "node:crypto";
import { FlywheelError } from "../../errors.ts";
import type { LabelValue, TeacherAnnotation } from "../../records.ts";
import { normaliseLabel, promptVersion, type Task } from "../../task.ts";
import { LIVE_PASS, teacherAnnotationId } from "../../verdict.ts";
import { lineOf } from "../gold-cell.ts";
import type { LogOptions } from "../ingest-options.ts";
import { createProblems } from "../line-problems.ts";
import type { Outcome } from "../outcome.ts";
import { type Content, recordContent, textContent, toRow } from "../read-row.ts";
import type { RecordReader } from "../record-reader.ts";
import { isObject, unwrapped } from "./fields.ts";
import type { LogSummary } from "./log-summary.ts";
import type { LogFormat, LoggedAnswer, LoggedCall } from "./logged-call.ts";
import type { PromptSurvey } from "./prompt-survey.ts";
import { readLoggedAnswer } from "./read-answer.ts";
import type { CallReader } from "./recognise.ts";

export type LogReader = RecordReader & { summary(): LogSummary };

export type LogReaderOptions = {
  readonly format: LogFormat;
  readonly readCalls: CallReader;
  readonly survey: PromptSurvey;
};

export function createLogReader({ format, readCalls, survey }: LogReaderOptions, options: LogOptions): LogReader {
  const { task } = options;
  const unreadable = createProblems();
  const models: Record<string, number> = {};
  const count = { calls: 0, answered: 0, other: 0, fromTeacher: 0 };

  const toOutcome = (call: LoggedCall, source: string): Outcome => {
    if (!survey.isOurs(call.prompt)) {
      count.other++;
      return { kind: "ignored", extension: "calls of other tasks" };
    }
    const content = contentOf(task, call);
    const value = labelOf(task, call.answer);
    const isTeacher = isTeachers(task, call.model);
    count.calls++;
    count.answered += Number(value !== undefined);
    count.fromTeacher += Number(value !== undefined && isTeacher);
    models[call.model ?? "unnamed"] = (models[call.model ?? "unnamed"] ?? 0) + 1;
    if (value === undefined) unreadable.add(lineOf(source), wordsOf(call.answer));
    const annotation = annotationOf(
      { call, content, value, version: isTeacher ? promptVersion(task) : versionOf(call) },
      options,
    );
    return { kind: "row", row: toRow(content, source, options), annotation };
  };
  return {
    read({ source, fields }) {
      const { calls, other } = readCalls(fields);
      count.other += other;
      const outcomes = calls.map((call, index) =>
        orRefused(() => toOutcome(call, calls.length > 1 ? `${source}#${index + 1}` : source), source),
      );
      const ignored = Array.from(
        { length: other },
        (): Outcome => ({ kind: "ignored", extension: "spans that are no call of a model" }),
      );
      return [...outcomes, ...ignored];
    },
    seen: () => ({ columns: [], notes: notesOf(task, count, models) }),
    summary: () => ({ format, ...count, models, unreadable: unreadable.summary(), prompts: survey.prompts }),
  };
}

function orRefused(read: () => Outcome, source: string): Outcome {
  try {
    return read();
  } catch (thrown) {
    if (!FlywheelError.isInstance(thrown)) throw thrown;
    return { kind: "refused", source, code: thrown.code, message: thrown.message };
  }
}

/** @throws FlywheelError as `readText` and `readFields` */
export function contentOf(task: Task, { input }: LoggedCall): Content {
  if (task.input === "text") return textContent(isObject(input) ? JSON.stringify(input) : input, "input");
  const record = unwrapped(input);
  if (isObject(record)) return recordContent(task, record);
  throw new FlywheelError("value_not_scalar", "the input is no JSON object, as the record of the task must be");
}

export function labelOf(task: Task, answer: LoggedAnswer): LabelValue | undefined {
  switch (answer.kind) {
    case "text":
      return readLoggedAnswer(task, answer.text);
    case "decision":
      return normaliseLabel(task, answer.value);
    case "failed":
      return undefined;
    default:
      return answer satisfies never;
  }
}

function wordsOf(answer: LoggedAnswer): string {
  if (answer.kind === "failed") return answer.message;
  const words = answer.kind === "text" ? answer.text : answer.value;
  return words.length > 80 ? `${words.slice(0, 80)}…` : words;
}

/** `openai/gpt-4o-mini` and `gpt-4o-mini-2024-07-18` are one model. */
const bareModel = (model: string): string =>
  model.slice(model.lastIndexOf("/") + 1).replace(/-(?:\d{8}|\d{4}-\d{2}-\d{2}|\d{3}|latest|preview)$/, "");

function isTeachers({ teacher }: Task, model: string | undefined): boolean {
  return model === undefined || bareModel(model) === bareModel(teacher.model);
}

/** Of an answer that is not the teacher's: kept, and counts for nothing until the task asks that question. */
const versionOf = ({ model, prompt }: LoggedCall): string =>
  createHash("sha256")
    .update(JSON.stringify({ log: model, prompt }))
    .digest("hex")
    .slice(0, 16);

/** Of labelling. */
const FIRST_PASS = 1;

type Judged = {
  readonly call: LoggedCall;
  readonly content: Content;
  readonly value: LabelValue | undefined;
  readonly version: string;
};

/**
 * It was paid for before there was a budget: it costs this workspace nothing. What the teacher has answered stands in for
 * the first pass, which would ask the same again; what cannot be read does not.
 */
function annotationOf({ call, content, value, version }: Judged, { task, clock }: LogOptions): TeacherAnnotation {
  const { answer, usage, latencyMs, at = clock.now(), model } = call;
  const probabilities = answer.kind === "decision" ? probabilitiesOf(task, answer.probabilities) : undefined;
  const message = `the logged answer is none of the labels: ${wordsOf(answer)}`;
  const pass = value !== undefined && version === promptVersion(task) ? FIRST_PASS : LIVE_PASS;
  return {
    id: teacherAnnotationId({ rowId: content.id, pass, promptVersion: version }),
    rowId: content.id,
    at,
    annotator: "teacher",
    teacher: model === undefined ? task.teacher.model : model,
    simulated: false,
    pass,
    promptVersion: version,
    ...(value === undefined ? { failure: { code: "log_answer_unreadable", message } } : { value }),
    ...(value !== undefined && probabilities && { probabilities }),
    usage,
    costUsd: 0,
    latencyMs,
  };
}

/** By label, where all are labels and they sum to 1. */
function probabilitiesOf(task: Task, given: Readonly<Record<string, number>> | undefined) {
  const pairs = Object.entries(given ?? {}).map(([value, share]) => [normaliseLabel(task, value), share] as const);
  const sum = pairs.reduce((total, [, share]) => total + share, 0);
  if (pairs.some(([label]) => label === undefined) || Math.abs(sum - 1) > 1e-3) return undefined;
  return Object.fromEntries(pairs.map(([label, share]) => [label!, share / sum]));
}

function notesOf(
  { teacher }: Task,
  { answered, fromTeacher }: { readonly answered: number; readonly fromTeacher: number },
  models: Readonly<Record<string, number>>,
): readonly string[] {
  if (fromTeacher === answered) return [];
  const names = Object.keys(models).join(", ");
  return [
    `${answered - fromTeacher} answers are not of ${teacher.model} (the log names ${names}): they count only where teacher.model is the model that gave them`,
  ];
}
