/** @file Which labels a logged answer gives, by field: words as `../../answer.ts` reads them, and decisions. */

import { excerptOf, propertiesOf, readLabel, readProperty, type SaidAnswer } from "../../answer.ts";
import type { GivenLabel } from "../../contracts.ts";
import type { FieldView } from "../../fields.ts";
import type { LabelValue } from "../../records.ts";
import { normaliseLabel, type Task } from "../../task.ts";
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
      return readSaid(fields, answer, takesPlaces);
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

function readSaid(fields: readonly FieldView[], said: SaidAnswer, takesPlaces: TakesPlaces): ReadAnswer {
  const [first] = fields;
  const shown = { words: excerptOf(said) };
  if (first?.name === "") return new Map([["", labelOr(readLabel(first.task, said), shown)]]);
  const properties = propertiesOf(fields, said);
  return new Map(
    fields.map(({ name, task }) => {
      if (!properties) return [name, shown];
      const value = properties.get(name);
      const words = value === undefined ? LEFT_OUT : typeof value === "string" ? value : JSON.stringify(value);
      return [name, labelOr(readProperty(task, value, takesPlaces(name)), { words: shortened(words) })];
    }),
  );
}

const labelOr = (value: LabelValue | undefined, unread: Unread): GivenLabel | Unread =>
  value === undefined ? unread : { value };

const shortened = (words: string): string => (words.length > 80 ? `${words.slice(0, 80)}…` : words);
