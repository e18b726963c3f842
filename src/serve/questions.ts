/**
 * @file Which of the task's fields and labels each question means.
 *
 * A field is one question, and its student was certified on all of its labels. So a choice must offer exactly those: in any
 * order and any spelling that the task knows, but none left out and none added, for no certificate covers a shorter list.
 * A score's levels have an order besides, and it must be the task's. The caller's own values come back, strings as strings
 * and booleans as booleans.
 */

import { fieldsByPlace, fieldsNamed, fieldsOf, hasFields } from "../fields.ts";
import type { LabelValue } from "../records.ts";
import { type AnyTask, classesOf, normaliseLabel, type Task } from "../task.ts";
import type { Question } from "./decision-request.ts";
import { RequestError } from "./request-error.ts";

/** A question that the task can answer; `field` is empty where the task has one output. */
export type Asked = { readonly field: string; readonly name: string | null } & (
  | { readonly type: "predicate" }
  | { readonly type: "choice"; readonly options: readonly Option[] }
  | { readonly type: "score"; readonly levels: readonly Level[] }
);

export type Option = { readonly value: string | boolean; readonly label: LabelValue };

/** As the caller spells it; `value` is its place, from 0. */
export type Level = { readonly spelling: string; readonly value: number; readonly label: LabelValue };

/**
 * Of a task of several fields, each question is the field that it names, or, where none names a field, the one in its place.
 * @throws RequestError 400, with the question at fault
 */
export function matchQuestions(questions: readonly Question[], task: AnyTask): readonly Asked[] {
  return onceFor(matches, questions, task, () => matchAnew(questions, task));
}

/** Of lists that are known, so are the answers (`decision-request.ts`). */
type Once<T> = WeakMap<readonly Question[], { readonly task: AnyTask; readonly made: T }>;
const matches: Once<readonly Asked[]> = new WeakMap();
const wordings: Once<boolean> = new WeakMap();

function onceFor<T>(known: Once<T>, questions: readonly Question[], task: AnyTask, make: () => T): T {
  const before = known.get(questions);
  if (before?.task === task) return before.made;
  const made = make();
  known.set(questions, { task, made });
  return made;
}

function matchAnew(questions: readonly Question[], task: AnyTask): readonly Asked[] {
  const tasks = new Map(fieldsOf(task).map((field) => [field.name, field.task]));
  const fields = hasFields(task) ? matchFields(questions, [...tasks.keys()], task.name) : questions.map(() => "");
  return questions.map((question, index) => {
    const field = fields[index]!;
    const { name = null } = question;
    return { field, name, ...matchQuestion(question, tasks.get(field)!, `questions[${index}]`) };
  });
}

/** The field of each question. */
function matchFields(questions: readonly Question[], fields: readonly string[], task: string): readonly string[] {
  const named = fieldsNamed(
    questions.map(({ name }) => name),
    fields,
  );
  const found = named.filter((field) => field !== undefined);
  if (found.length === questions.length) return found;
  if (found.length > 0) {
    const stray = named.indexOf(undefined);
    const name = questions[stray]!.name ?? null;
    const what = name === null ? "has no name, others have" : `is named ${JSON.stringify(name)}, which is no field`;
    throw unknownQuestion(`questions[${stray}].name`, `questions[${stray}] ${what}`, { fields, task });
  }
  const placed = fieldsByPlace(questions.length, fields);
  if (placed) return placed;
  const many = `no question names a field, and "${task}" has ${fields.length} of them`;
  throw unknownQuestion("questions", many, { fields, task });
}

function unknownQuestion(
  param: string,
  message: string,
  { fields, task }: { readonly fields: readonly string[]; readonly task: string },
): RequestError {
  const hint = `give each question the name of the field that it asks for; "${task}" has ${quoted(fields)}`;
  return new RequestError(400, "question_unknown", message, { param, hint });
}

/** Without the field and the name. */
type Matched = Asked extends infer A ? (A extends Asked ? Omit<A, "field" | "name"> : never) : never;

/** A choice may be asked of any task whose labels it offers; predicates and scores only of tasks of their own kind. */
function matchQuestion(question: Question, task: Task, param: string): Matched {
  switch (question.type) {
    case "predicate":
      if (task.output.kind === "predicate") return { type: "predicate" };
      throw mismatch(`${param}.type`, `task "${task.name}" chooses among labels, it answers no predicate`);
    case "choice":
      return { type: "choice", options: matchChoices(question.choices, task, `${param}.choices`) };
    case "score":
      if (task.output.kind !== "score") throw mismatch(`${param}.type`, `task "${task.name}" gives no scores`);
      return { type: "score", levels: matchLevels(question.levels, task, `${param}.levels`) };
    default:
      return question satisfies never;
  }
}

type Levels = Extract<Question, { type: "score" }>["levels"];

function matchLevels(levels: Levels, task: Task, param: string): readonly Level[] {
  const classes = classesOf(task);
  const wrong = levels.findIndex(({ label }, index) => normaliseLabel(task, label) !== classes[index]);
  if (wrong >= 0 || levels.length !== classes.length) {
    const where = wrong < 0 ? param : `${param}[${wrong}].label`;
    throw mismatch(where, `the levels are not those of task "${task.name}", from the lowest to the highest`, task);
  }
  return levels.map(({ label: spelling }, value) => ({ spelling, value, label: classes[value]! }));
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

/** The questions as the task itself would put them; for answers that are fetched later. */
export function ownQuestion(field: string, task: Task): Asked {
  const base = { field, name: field === "" ? null : field };
  const labels = classesOf(task);
  switch (task.output.kind) {
    case "predicate":
      return { type: "predicate", ...base };
    case "choice":
      return { type: "choice", ...base, options: labels.map((label) => ({ value: label, label })) };
    case "score":
      return { type: "score", ...base, levels: labels.map((label, value) => ({ spelling: label, value, label })) };
    default:
      return task.output satisfies never;
  }
}

/**
 * Whether a question is worded otherwise than the task. The student answers the task's question whatever is asked, so the
 * caller is told; white space and case aside.
 */
export function asksOtherwise(questions: readonly Question[], asked: readonly Asked[], task: AnyTask): boolean {
  return onceFor(wordings, questions, task, () => isWordedOtherwise(questions, asked, task));
}

/** No task's instructions are as long: to fold the white space of a longer text would hold up everybody else. */
const MAX_COMPARED = 50_000;

function isWordedOtherwise(questions: readonly Question[], asked: readonly Asked[], task: AnyTask): boolean {
  const instructions = new Map(fieldsOf(task).map((field) => [field.name, fold(field.task.instructions)]));
  return questions.some((question, index) => {
    const given = wordingOf(question);
    if (given.length > MAX_COMPARED) return true;
    const wording = fold(given);
    return wording !== "" && wording !== instructions.get(asked[index]!.field);
  });
}

function wordingOf({ instructions }: Question): string {
  if (typeof instructions === "string") return instructions;
  return instructions.map((part) => (typeof part["text"] === "string" ? part["text"] : "")).join(" ");
}

function fold(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, " ");
}
