/**
 * @file Which field each question of a logged request asks for. The server refuses what it does not know; a log was written
 * for an application that may ask more than the task does, so here a question may be nobody's.
 */

import { type FieldView, fieldsByPlace, fieldsNamed, fieldsOf } from "../../fields.ts";
import type { LabelValue } from "../../records.ts";
import { type AnyTask, classesOf, normaliseLabel, type Task } from "../../task.ts";
import { isObject, listAt, textAt } from "./fields.ts";

/** The field of each question, undefined where it is none of the task's. */
export type QuestionMatcher = (questions: readonly unknown[]) => readonly (string | undefined)[];

/**
 * By its name, which is a field's or, of a task of one output, the task's own; else by the labels that it offers, where no
 * other question and no other field comes into question; else, where neither finds any, by its place among as many.
 */
export function createQuestionMatcher(task: AnyTask): QuestionMatcher {
  const fields = fieldsOf(task);
  const names = new Map(fields.map(({ name, task: own }) => [name || own.name, name]));
  return (questions) => {
    const named = fieldsNamed(
      questions.map((question) => textAt(question, "name")),
      [...names.keys()],
    ).map((name) => (name === undefined ? undefined : names.get(name)));
    const free = fields.filter(({ name }) => !named.includes(name));
    const offered = byLabels(
      questions.map((question, index) => (named[index] === undefined ? question : undefined)),
      free,
    );
    const found = named.map((name, index) => name ?? offered[index]);
    const isNone = found.every((name) => name === undefined);
    return (isNone ? fieldsByPlace(questions.length, [...names.values()]) : undefined) ?? found;
  };
}

function byLabels(questions: readonly unknown[], fields: readonly FieldView[]): readonly (string | undefined)[] {
  const candidates = questions.map((question) => candidatesOf(question, fields));
  return candidates.map((own) => {
    const [name] = own;
    const isSole = own.length === 1 && candidates.filter((other) => other.includes(name!)).length === 1;
    return isSole ? name : undefined;
  });
}

/** Fields with exactly the labels that are offered; else fields that know them all. */
function candidatesOf(question: unknown, fields: readonly FieldView[]): readonly string[] {
  const knowing = fields.flatMap(({ name, task }) => {
    const labels = labelsOffered(question, task);
    return labels ? [{ name, isAll: labels.size === classesOf(task).length }] : [];
  });
  const exact = knowing.filter(({ isAll }) => isAll);
  return (exact.length > 0 ? exact : knowing).map(({ name }) => name);
}

/** Undefined where it offers none, or one that the task does not know. */
function labelsOffered(question: unknown, task: Task): ReadonlySet<LabelValue> | undefined {
  const values = textAt(question, "type") === "predicate" ? ["true", "false"] : optionsOf(question);
  const labels = values.map((value) => normaliseLabel(task, value));
  if (labels.length === 0 || labels.includes(undefined)) return undefined;
  return new Set(labels.filter((label) => label !== undefined));
}

function optionsOf(question: unknown): readonly string[] {
  const choices = (listAt(question, "choices") ?? []).map((one) => (isObject(one) ? String(one["value"]) : ""));
  const levels = (listAt(question, "levels") ?? []).map((one) => textAt(one, "label") ?? "");
  return [...choices, ...levels];
}
