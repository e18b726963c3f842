/**
 * @file Which labels an answer in words gives: one reader for logged answers and for the teacher's. Strict about meaning,
 * lenient about form: every application and every small model wraps its answers in its own way, and they were paid for. So a
 * label is looked for where an answer can only mean it. Of a task of one output: the words as a whole, the one value of the
 * one JSON object that is a label, or what a line calls the answer. Of several fields: what is named as the fields are.
 */

import {
  type JsonObject,
  type NamedPart,
  objectLines,
  openAnswer,
  spellingsOf,
  withoutThoughts,
} from "./answer-text.ts";
import type { FieldView } from "./fields.ts";
import type { LabelValue } from "./records.ts";
import { classesOf, normaliseLabel, type Task } from "./task.ts";

/** What was said: words, and the arguments of a tool that was called, which count where the words are no label. */
export type SaidAnswer = { readonly text: string; readonly tool?: string | undefined };

export type ReadOptions = {
  /** The property that was asked for: where the JSON object has it, no other counts. */
  readonly property?: string;
};

/** The label that an answer gives to a task of one output; undefined where it gives none, or more than one. */
export function readLabel(task: Task, { text, tool }: SaidAnswer, options: ReadOptions = {}): LabelValue | undefined {
  return labelSaid(task, text, options) ?? (tool === undefined ? undefined : labelSaid(task, tool, options));
}

/** Of several objects, a line each, as of several tools that were called: what they give, where they do not differ. */
function labelSaid(task: Task, text: string, options: ReadOptions): LabelValue | undefined {
  const whole = labelIn(task, text, options);
  return whole ?? sole(objectLines(text).flatMap((line) => labelIn(task, line, options) ?? []));
}

function labelIn(task: Task, text: string, { property }: ReadOptions): LabelValue | undefined {
  const { words, json, isJson, named } = openAnswer(text);
  const inJson = json && labelInJson(task, json, property);
  return isJson ? inJson : (inJson ?? first(task, spellingsOf(words)) ?? labelInParts(task, named));
}

const first = (task: Task, spellings: readonly string[]): LabelValue | undefined =>
  spellings.map((spelling) => normaliseLabel(task, spelling)).find((label) => label !== undefined);

function labelInJson(task: Task, json: JsonObject, property?: string): LabelValue | undefined {
  if (property !== undefined && Object.hasOwn(json, property)) return readProperty(task, json[property]);
  const labelsOf = (isMeant: (value: unknown) => boolean) =>
    Object.values(json)
      .filter(isMeant)
      .flatMap((value) => normaliseLabel(task, String(value)) ?? []);
  const words = labelsOf(isWord);
  // Scores alone: of other tasks, a number beside the answer is how sure the model was.
  const labels = words.length === 0 && task.output.kind === "score" ? labelsOf(Number.isFinite) : words;
  return sole(labels);
}

const isWord = (value: unknown): boolean => typeof value === "string" || typeof value === "boolean";

const sole = (labels: readonly LabelValue[]): LabelValue | undefined =>
  new Set(labels).size === 1 ? labels[0] : undefined;

/** What applications ask an answer to be called, and the words around such a name. */
const ANSWER_NAMES: readonly string[] = [
  ...["answer", "label", "category", "class", "classification", "choice", "decision"],
  ...["verdict", "result", "output", "prediction", "response"],
];
const NAME_FILLERS: readonly string[] = ["the", "my", "final", "correct", "best", "is"];

/** `Answer`, `Final answer`, `The best category is`. */
export function isAnswerName(name: string): boolean {
  const words = name.toLowerCase().split(" ");
  return ANSWER_NAMES.includes(words.filter((word) => !NAME_FILLERS.includes(word)).join(" "));
}

function labelInParts(task: Task, named: readonly NamedPart[]): LabelValue | undefined {
  const isAnswer = ({ name }: NamedPart) => isAnswerName(name) || foldName(name) === foldName(task.name);
  const labels = named.filter(isAnswer).map(({ value }) => first(task, spellingsOf(value)));
  return labels.includes(undefined) ? undefined : sole(labels.filter((label) => label !== undefined));
}

// ── several fields ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What an answer says of each field, of those that it names; undefined where it names none. */
export function propertiesOf(fields: readonly FieldView[], said: SaidAnswer): ReadonlyMap<string, unknown> | undefined {
  return propertiesIn(fields, said.text) ?? (said.tool === undefined ? undefined : propertiesIn(fields, said.tool));
}

function propertiesIn(fields: readonly FieldView[], text: string): ReadonlyMap<string, unknown> | undefined {
  const { json, named } = openAnswer(text);
  if (json) return byField(fields, Object.entries(json));
  const found = byField(
    fields,
    named.map(({ name, value }) => [name, value]),
  );
  return found.size > 0 ? found : undefined;
}

/** By the name itself, else by one that is alike, where no other name and no other field could be meant. */
function byField(
  fields: readonly FieldView[],
  pairs: readonly (readonly [string, unknown])[],
): ReadonlyMap<string, unknown> {
  const exact = Map.groupBy(pairs, ([name]) => name);
  const alike = Map.groupBy(pairs, ([name]) => foldName(name));
  const rivals = Map.groupBy(fields, ({ name }) => foldName(name));
  return new Map(
    fields.flatMap(({ name }) => {
      const own = exact.get(name) ?? (rivals.get(foldName(name))?.length === 1 ? alike.get(foldName(name)) : undefined);
      return own?.length === 1 ? [[name, own[0]![1]] as const] : [];
    }),
  );
}

/** `dueDate`, `Due date` and `due-date` are `due_date`. */
const foldName = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "");

/**
 * The label that a property of JSON gives. It has the name of its field, so that a number can only be meant for it.
 * @param takesPlaces whether a number that spells no level is a level's place, from 0
 */
export function readProperty(task: Task, value: unknown, takesPlaces = false): LabelValue | undefined {
  if (!isWord(value) && typeof value !== "number") return undefined;
  return first(task, spellingsOf(String(value))) ?? (takesPlaces ? levelAt(task, value) : undefined);
}

function levelAt(task: Task, value: unknown): LabelValue | undefined {
  return task.output.kind === "score" && typeof value === "number" ? classesOf(task)[value] : undefined;
}

// ── what is shown of it ─────────────────────────────────────────────────────────────────────────────────────────────

const MAX_SHOWN = 80;

/** The beginning of an answer for a person to read: past its thoughts, where anything follows them. */
export function excerptOf({ text, tool }: SaidAnswer): string {
  const words = withoutThoughts(text).trim() || tool || text.trim();
  return words.length > MAX_SHOWN ? `${words.slice(0, MAX_SHOWN)}…` : words;
}
