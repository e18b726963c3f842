/** @file What a log turned out to hold. */

import type { LineProblems } from "../line-problems.ts";
import type { LogFormat } from "./logged-call.ts";
import type { PromptSurvey } from "./prompt-survey.ts";

export type LogSummary = {
  readonly format: LogFormat;
  /** Calls of this task. */
  readonly calls: number;
  /** Of these, answers that mean a label. */
  readonly answered: number;
  /** Answers that mean none. `text` is the answer. */
  readonly unreadable: LineProblems;
  /** Calls that ask something else, and lines that are no calls. */
  readonly other: number;
  readonly models: Readonly<Record<string, number>>;
  /** Answers that count as the task's teacher's: its model gave them, or the log names none. */
  readonly fromTeacher: number;
  readonly prompts: PromptSurvey["prompts"];
};
