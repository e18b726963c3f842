/**
 * @file A log as rows with the answers that came with them.
 *
 * Which calls are this task's is found out first, prompt by prompt: a log holds the calls of a whole application, and a
 * prompt whose answers are mostly no labels of the task asks something else. Of the prompts that are the task's, every call
 * becomes a row, also where the answer cannot be read: leaving those out would leave only the easy ones.
 */

import { createHash } from "node:crypto";
import type { GivenLabel } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import { annotationsOf, fieldNames, fieldsOf } from "../../fields.ts";
import type { TeacherAnnotation } from "../../records.ts";
import { type AnyTask, promptVersion } from "../../task.ts";
import { LIVE_PASS, teacherAnnotationId } from "../../verdict.ts";
import type { IngestOptions } from "../ingest-options.ts";
import type { Outcome } from "../outcome.ts";
import { type Content, recordContent, textContent, toRow } from "../read-row.ts";
import type { RecordReader } from "../record-reader.ts";
import { isObject, unwrapped } from "./fields.ts";
import type { LogSummary } from "./log-summary.ts";
import { createLogTally } from "./log-tally.ts";
import type { LogFormat, LoggedCall } from "./logged-call.ts";
import type { PromptSurvey } from "./prompt-survey.ts";
import { isUnread, type ReadAnswer, readAnswer, type Unread } from "./read-answer.ts";
import type { CallReader } from "./recognise.ts";
import type { ScorePlaces } from "./score-places.ts";

export type LogReader = RecordReader & { summary(): LogSummary };

export type LogReaderOptions = {
  readonly format: LogFormat;
  readonly readCalls: CallReader;
  readonly survey: PromptSurvey;
  readonly places: ScorePlaces;
};

export function createLogReader(
  { format, readCalls, survey, places }: LogReaderOptions,
  options: IngestOptions,
): LogReader {
  const { task } = options;
  const fields = fieldsOf(task);
  const tally = createLogTally(task);

  const toOutcome = (call: LoggedCall, source: string): Outcome => {
    if (!survey.isOurs(call.prompt)) {
      tally.addOther();
      return { kind: "ignored", extension: "calls of other tasks" };
    }
    const content = contentOf(task, call);
    const read = readAnswer(fields, call.answer, places.areTaken);
    const isTeacher = isTeachers(task, call.model);
    tally.add({ read, source, isTeacher, model: call.model, isFailed: call.answer.kind === "failed" });
    const version = isTeacher ? promptVersion(task) : versionOf(call);
    return {
      kind: "row",
      row: toRow(content, source, options),
      annotations: annotate({ call, content, read, version }, options),
    };
  };
  return {
    read({ source, fields: record }) {
      const { calls, other } = readCalls(record);
      const outcomes = calls.map((call, index) =>
        orRefused(() => toOutcome(call, calls.length > 1 ? `${source}#${index + 1}` : source), source),
      );
      const ignored = other.map((what): Outcome => ({ kind: "ignored", extension: tally.addUnread(what) }));
      return [...outcomes, ...ignored];
    },
    seen: () => ({ columns: [], notes: [...tally.notes(), ...places.notes()] }),
    summary: () => ({ format, ...tally.summary(), prompts: survey.prompts }),
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

/** @throws FlywheelError `log_input_no_text`, and as `readText` and `readFields` */
function contentOf(task: AnyTask, { input, foreign }: LoggedCall): Content {
  if (foreign !== undefined) {
    throw new FlywheelError(
      "log_input_no_text",
      `what was asked holds ${foreign}: logged inputs are read as texts or records`,
      {
        hint: "its words alone would be another question than the one that was answered",
      },
    );
  }
  if (task.input === "text") return textContent(isObject(input) ? JSON.stringify(input) : input, "input");
  const record = unwrapped(input);
  if (isObject(record)) return recordContent(task, record);
  throw new FlywheelError("value_not_scalar", "the input is no JSON object, as the record of the task must be");
}

/** `openai/gpt-4o-mini` and `gpt-4o-mini-2024-07-18` are one model. */
const bareModel = (model: string): string =>
  model.slice(model.lastIndexOf("/") + 1).replace(/-(?:\d{8}|\d{4}-\d{2}-\d{2}|\d{3}|latest|preview)$/, "");

function isTeachers({ teacher }: AnyTask, model: string | undefined): boolean {
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
  readonly read: ReadAnswer;
  readonly version: string;
};

/**
 * It was paid for before there was a budget: it costs this workspace nothing. Where the teacher has answered every field it
 * stands in for the first pass, which would ask the same again; what leaves a field without a label does not, for that pass
 * asks all of them at once.
 */
function annotate(
  { call, content, read, version }: Judged,
  { task, clock }: IngestOptions,
): readonly TeacherAnnotation[] {
  const { usage, latencyMs, at = clock.now(), model = task.teacher.model } = call;
  const labels = [...read].flatMap(([name, one]) => (isUnread(one) ? [] : [[name, one] as const]));
  const pass = labels.length === read.size && version === promptVersion(task) ? FIRST_PASS : LIVE_PASS;
  const asked = { rowId: content.id, pass, promptVersion: version };
  const annotations = annotationsOf(
    { ...asked, id: teacherAnnotationId(asked), at, annotator: "teacher", teacher: model, simulated: false },
    fieldNames(task),
    { given: Object.fromEntries(labels), usage, costUsd: 0, latencyMs },
  );
  return annotations.map((annotation) => unreadable(annotation, read.get(annotation.field ?? "")));
}

/** Under an id of its own: what another call of the log says of the field must not find its place taken by silence. */
function unreadable(annotation: TeacherAnnotation, read: GivenLabel | Unread | undefined): TeacherAnnotation {
  if (!read || !isUnread(read)) return annotation;
  const { rowId, pass, promptVersion: version } = annotation;
  return {
    ...annotation,
    id: teacherAnnotationId({ rowId, pass, promptVersion: `${version}/unreadable` }),
    failure: {
      code: "log_answer_unreadable",
      message: `the logged answer is none of the labels: ${read.words}`,
    },
  };
}
