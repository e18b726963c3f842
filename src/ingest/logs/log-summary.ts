/** @file What a log turned out to hold. */

import type { LineProblems } from "../line-problems.ts";
import type { LogFormat } from "./logged-call.ts";
import type { PromptSurvey } from "./prompt-survey.ts";

export type LogSummary = {
  readonly format: LogFormat;
  /** Calls of this task. */
  readonly calls: number;
  /** Of these, answers that mean a label; of a task of several fields, of one of them at least. */
  readonly answered: number;
  /** Of these, answers that mean a label in every field. */
  readonly complete: number;
  /** Of a task of several fields: answers that mean a label of the field, and that mean none. */
  readonly fields?: Readonly<Record<string, { readonly answered: number; readonly unreadable: number }>>;
  /** Of these, calls without an answer: they failed, were refused or cut short. */
  readonly failed: number;
  /** Answers that are not complete. `text` is the answer, or what stands for each field without a label. */
  readonly unreadable: LineProblems;
  /** Calls that ask something else, and lines that are no calls. */
  readonly other: number;
  /** Lines and spans that are no calls, by what they are. */
  readonly unread: Readonly<Record<string, number>>;
  readonly models: Readonly<Record<string, number>>;
  /** Answers that count as the task's teacher's: its model gave them, or the log names none. */
  readonly fromTeacher: number;
  readonly prompts: PromptSurvey["prompts"];
};
