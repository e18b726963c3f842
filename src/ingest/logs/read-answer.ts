/**
 * @file Which labels a logged answer gives. Every application wraps its answers in its own way, so a label is looked for where
 * an answer can only mean it. Of a task of one output: the words as a whole, or the one value of a JSON object that is a
 * label. Of several fields: the properties of a JSON object that are named as the fields are.
 */

import type { GivenLabel } from "../../contracts.ts";
import type { FieldView } from "../../fields.ts";
import type { LabelValue } from "../../records.ts";
import { classesOf, normaliseLabel, type Task } from "../../task.ts";
import { isObject } from "./fields.ts";
import type { Judgement, LoggedAnswer } from "./logged-call.ts";

/** By field: its label, or what stands in the place of one. */
export type ReadAnswer = ReadonlyMap<string, GivenLabel | Unread>;
export type Unread = { readonly words: string };

export const isUnread = (read: GivenLabel | Unread): read is Unread => "words" in read;

export const isAnswered = (read: ReadAnswer): boolean => [...read.values()].some((one) => !isUnread(one));

/** Whether a number that spells no level of this field is a level's place, from 0. */
export type TakesPlaces = (field: string) => boolean;

export function readAnswer(fields: readonly FieldView[], answer: LoggedAnswer, takesPlaces: TakesPlaces): ReadAnswer {
  switch (answer.kind) {
    case "text":
      return readText(fields, answer.text, takesPlaces);
    case "decision":
      return new Map(fields.map(({ name, task }) => [name, readJudgement(task, answer.given.get(name))]));
    case "failed":
      return new Map(fields.map(({ name }) => [name, { words: answer.message }]));
    default:
      return answer satisfies never;
  }
}

function readJudgement(task: Task, judgement: Judgement | undefined): GivenLabel | Unread {
  if (!judgement) return { words: NOT_ASKED };
  if ("refusal" in judgement) return { words: judgement.refusal };
  const value = normaliseLabel(task, judgement.value);
  if (value === undefined) return { words: shortened(judgement.value) };
  const probabilities = probabilitiesOf(task, judgement.probabilities);
  return { value, ...(probabilities && { probabilities }) };
}

/** By label, where all are labels and they sum to 1. */
function probabilitiesOf(task: Task, given: Readonly<Record<string, number>> | undefined) {
  const pairs = Object.entries(given ?? {}).map(([value, share]) => [normaliseLabel(task, value), share] as const);
  const sum = pairs.reduce((total, [, share]) => total + share, 0);
  if (pairs.some(([label]) => label === undefined) || Math.abs(sum - 1) > 1e-3) return undefined;
  return Object.fromEntries(pairs.map(([label, share]) => [label!, share / sum]));
}

const NOT_ASKED = "no question of the request asks for it";
const LEFT_OUT = "left out";

function readText(fields: readonly FieldView[], text: string, takesPlaces: TakesPlaces): ReadAnswer {
  const [first] = fields;
  if (first?.name === "") return new Map([["", labelOr(readOne(first.task, text), text)]]);
  const properties = propertiesOf(fields, text);
  return new Map(
    fields.map(({ name, task }) => {
      if (!properties) return [name, { words: shortened(text) }];
      const value = properties.get(name);
      const words = value === undefined ? LEFT_OUT : typeof value === "string" ? value : JSON.stringify(value);
      return [name, labelOr(readProperty(task, value, takesPlaces(name)), words)];
    }),
  );
}

const labelOr = (value: LabelValue | undefined, words: string): GivenLabel | Unread =>
  value === undefined ? { words: shortened(words) } : { value };

const shortened = (words: string): string => (words.length > 80 ? `${words.slice(0, 80)}…` : words);

/** Undefined where it gives none, or more than one. */
function readOne(task: Task, text: string): LabelValue | undefined {
  const bare = withoutFence(text);
  const json = parseJson(bare);
  if (!isObject(json))
    return normaliseLabel(task, typeof json === "string" || typeof json === "boolean" ? String(json) : bare);
  const labelsOf = (isMeant: (value: unknown) => boolean) =>
    Object.values(json)
      .filter(isMeant)
      .flatMap((value) => normaliseLabel(task, String(value)) ?? []);
  const words = labelsOf(isWord);
  // Scores alone: of other tasks, a number beside the answer is how sure the model was.
  const labels = words.length === 0 && task.output.kind === "score" ? labelsOf(Number.isFinite) : words;
  return new Set(labels).size === 1 ? labels[0] : undefined;
}

const isWord = (value: unknown): boolean => typeof value === "string" || typeof value === "boolean";

/** A property has the name of its field, so that a number can only be meant for it. */
function readProperty(task: Task, value: unknown, takesPlaces: boolean): LabelValue | undefined {
  if (!isWord(value) && typeof value !== "number") return undefined;
  const label = normaliseLabel(task, String(value));
  return label ?? (takesPlaces ? levelAt(task, value) : undefined);
}

function levelAt(task: Task, value: unknown): LabelValue | undefined {
  return task.output.kind === "score" && typeof value === "number" ? classesOf(task)[value] : undefined;
}

/** What an answer's JSON object says of each field; undefined where the answer is none. */
export function propertiesOf(fields: readonly FieldView[], text: string): ReadonlyMap<string, unknown> | undefined {
  const json = parseJson(withoutFence(text));
  if (!isObject(json)) return undefined;
  const alike = Map.groupBy(Object.keys(json), foldName);
  const rivals = Map.groupBy(fields, ({ name }) => foldName(name));
  return new Map(
    fields.flatMap(({ name }) => {
      if (Object.hasOwn(json, name)) return [[name, json[name]] as const];
      const [property, ...others] = alike.get(foldName(name)) ?? [];
      const isClear = property !== undefined && others.length === 0 && rivals.get(foldName(name))?.length === 1;
      return isClear ? [[name, json[property]] as const] : [];
    }),
  );
}

/** `dueDate`, `Due date` and `due-date` are `due_date`. */
const foldName = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "");

function withoutFence(text: string): string {
  return /^\s*```(?:json)?\s*([\s\S]*?)```\s*$/.exec(text)?.[1]?.trim() ?? text.trim();
}

function parseJson(text: string): unknown {
  if (!/^[{"]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
