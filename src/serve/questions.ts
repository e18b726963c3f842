/**
 * @file Which of the task's labels each question means.
 *
 * A task is one question, and its student was certified on all of its labels. So a choice must offer exactly those: in any
 * order and any spelling that the task knows, but none left out and none added, for no certificate covers a shorter list.
 * The caller's own values come back, strings as strings and booleans as booleans.
 */

import type { LabelValue } from "../records.ts";
import { classesOf, normaliseLabel, type Task } from "../task.ts";
import type { Question } from "./decision-request.ts";
import { RequestError } from "./request-error.ts";

/** A question that the task can answer. */
export type Asked =
  | { readonly type: "predicate"; readonly name: string | null }
  | { readonly type: "choice"; readonly name: string | null; readonly options: readonly Option[] };

export type Option = { readonly value: string | boolean; readonly label: LabelValue };

/** @throws RequestError 400, with the question at fault */
export function matchQuestions(questions: readonly Question[], task: Task): readonly Asked[] {
  return questions.map((question, index) => matchQuestion(question, task, `questions[${index}]`));
}

function matchQuestion(question: Question, task: Task, param: string): Asked {
  const name = question.name ?? null;
  switch (question.type) {
    case "predicate":
      if (task.output.kind === "predicate") return { type: "predicate", name };
      throw mismatch(`${param}.type`, `task "${task.name}" chooses among labels, it answers no predicate`);
    case "choice":
      return { type: "choice", name, options: matchChoices(question.choices, task, `${param}.choices`) };
    case "score":
      throw mismatch(`${param}.type`, `task "${task.name}" gives no scores`);
    default:
      return question satisfies never;
  }
}

type Choices = Extract<Question, { type: "choice" }>["choices"];

function matchChoices(choices: Choices, task: Task, param: string): readonly Option[] {
  const options = choices.map(({ value }, index) => {
    const label = normaliseLabel(task, String(value));
    if (label !== undefined) return { value, label };
    throw mismatch(`${param}[${index}].value`, `task "${task.name}" knows no label ${JSON.stringify(value)}`, task);
  });
  const labels = options.map(({ label }) => label);
  const repeated = labels.findIndex((label, index) => labels.indexOf(label) !== index);
  if (repeated >= 0) {
    throw mismatch(`${param}[${repeated}].value`, `two choices mean the label ${JSON.stringify(labels[repeated])}`);
  }
  const missing = classesOf(task).filter((label) => !labels.includes(label));
  if (missing.length > 0) throw mismatch(param, `the choices leave out ${quoted(missing)}`, task);
  return options;
}

function mismatch(param: string, message: string, task?: Task): RequestError {
  const hint = task && `offer exactly the task's labels: ${quoted(classesOf(task))}`;
  return new RequestError(400, "question_mismatch", message, { param, ...(hint === undefined ? {} : { hint }) });
}

const MAX_QUOTED = 20;

function quoted(labels: readonly LabelValue[]): string {
  const shown = labels.slice(0, MAX_QUOTED).map((label) => JSON.stringify(label));
  return [...shown, ...(labels.length > MAX_QUOTED ? [`${labels.length - MAX_QUOTED} more`] : [])].join(", ");
}

/** The question as the task itself would put it; for answers that are fetched later. */
export function ownQuestion(task: Task): Asked {
  if (task.output.kind === "predicate") return { type: "predicate", name: null };
  return { type: "choice", name: null, options: classesOf(task).map((label) => ({ value: label, label })) };
}

/**
 * Whether a question is worded otherwise than the task. The student answers the task's question whatever is asked, so the
 * caller is told; white space and case aside.
 */
export function asksOtherwise(questions: readonly Question[], { instructions }: Task): boolean {
  return questions.some((question) => {
    const wording = fold(wordingOf(question));
    return wording !== "" && wording !== fold(instructions);
  });
}

function wordingOf({ instructions }: Question): string {
  if (typeof instructions === "string") return instructions;
  return instructions.map((part) => (typeof part["text"] === "string" ? part["text"] : "")).join(" ");
}

function fold(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, " ");
}
