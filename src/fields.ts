/**
 * @file A task of several fields, taken apart: to every stage a field is an ordinary task of one output over a store of its
 * own. A task of one output is the case of one field without a name, so whoever composes stages need not ask which it is.
 */

import type { GivenLabel, TeacherAnswer, TeacherFieldsAnswer } from "./contracts.ts";
import type { TeacherAnnotation, Usage } from "./records.ts";
import type { SpendStore, Store } from "./store/contract.ts";
import { type AnyTask, type FieldsTask, promptVersion, type Task } from "./task.ts";

export type FieldView = {
  /** Empty where the task has one output. */
  readonly name: string;
  readonly task: Task;
};

export const hasFields = (task: AnyTask): task is FieldsTask => "fields" in task;

/** In the order in which they are asked. */
export function fieldsOf(task: AnyTask): readonly FieldView[] {
  if (!hasFields(task)) return [{ name: "", task }];
  const version = promptVersion(task);
  return Object.keys(task.fields).map((name) => ({ name, task: fieldTask(task, name, version) }));
}

export function fieldNames(task: AnyTask): readonly string[] {
  return hasFields(task) ? Object.keys(task.fields) : [""];
}

/** `mail/topic` in messages; its own question and target, its part of the budget, everything else as the task has it. */
function fieldTask({ fields, answer: _, ...shared }: FieldsTask, field: string, version: string): Task {
  const { instructions, output, target = shared.target } = fields[field]!;
  const name = `${shared.name}/${field}`;
  const part = { field, promptVersion: version };
  const budget = shared.budgetUsd === undefined ? {} : { budgetUsd: shared.budgetUsd / Object.keys(fields).length };
  return Object.freeze({ ...shared, ...budget, name, instructions, output, target, part });
}

/** What the stages run on. */
export type FieldScope = FieldView & { readonly store: Store };

export function scopesOf(store: Store, task: AnyTask): readonly FieldScope[] {
  const fields = fieldsOf(task);
  return fields.map((field) => {
    const own = store.field(field.name);
    return { ...field, store: fields.length === 1 ? own : { ...own, spend: partOfSpend(own.spend, fields.length) } };
  });
}

/** Every request asks all fields: of what was spent, an equal part is each one's. */
function partOfSpend(spend: SpendStore, count: number): SpendStore {
  return {
    ...spend,
    async totals() {
      const { spentUsd, reservedUsd, inFlight, neededUsd } = await spend.totals();
      const part = { spentUsd: spentUsd / count, reservedUsd: reservedUsd / count, inFlight };
      return neededUsd === undefined ? part : { ...part, neededUsd: neededUsd / count };
    },
  };
}

/** What a teacher's answer, or its last failure, says of each field that was asked. */
export type Judged = {
  readonly given: Readonly<Record<string, GivenLabel>>;
  /** What is recorded of fields without a valid answer. */
  readonly failure?: { readonly code: string; readonly message: string };
  readonly usage: Usage;
  readonly costUsd: number;
  readonly latencyMs: number;
};

type JudgedBase = Omit<
  TeacherAnnotation,
  "field" | "value" | "failure" | "probabilities" | "usage" | "costUsd" | "latencyMs"
>;

/**
 * One answer as annotations, one for each field, all under the id of the request. Tokens and cost stand with them in equal
 * parts, so that what the fields say adds up to what was paid.
 */
export function annotationsOf(
  base: JudgedBase,
  fields: readonly string[],
  { given, failure, usage, costUsd, latencyMs }: Judged,
): readonly TeacherAnnotation[] {
  return fields.map((field, index) => {
    const said = Object.hasOwn(given, field) ? given[field] : undefined;
    const part = (amount: number) => partOf(amount, index, fields.length);
    return {
      ...base,
      ...(field !== "" && { field }),
      ...(said ? { value: said.value } : { failure: failure ?? unanswered }),
      ...(said?.probabilities && { probabilities: said.probabilities }),
      usage: { inputTokens: part(usage.inputTokens), outputTokens: part(usage.outputTokens) },
      costUsd: fields.length === 1 ? costUsd : part(costUsd * NANO_PER_USD) / NANO_PER_USD,
      latencyMs,
    };
  });
}

const unanswered = { code: "teacher_off_schema", message: "the teacher left this question out" };

/** As the store counts money: parts of whole nano-dollars add up to the last one. */
const NANO_PER_USD = 1e9;

/** What an answer gives each field, by name. */
export const givenIn = (answer: TeacherAnswer | TeacherFieldsAnswer): Judged["given"] =>
  "fields" in answer ? answer.fields : { "": answer };

/** The part of number `index` of `amount`, shared out among `count` in whole units that add up to it. */
export function partOf(amount: number, index: number, count: number): number {
  return Math.round((amount * (index + 1)) / count) - Math.round((amount * index) / count);
}

/** The fields that questions on the wire name, undefined for those that name none. */
export const fieldsNamed = (
  names: readonly (string | null | undefined)[],
  fields: readonly string[],
): readonly (string | undefined)[] => names.map((name) => fields.find((field) => field === name));

/** What questions that name no field mean: the fields in their order, where there are as many. */
export const fieldsByPlace = (questions: number, fields: readonly string[]): readonly string[] | undefined =>
  questions === fields.length ? fields : undefined;
