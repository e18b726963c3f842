/** @file Whether a target can be met without telling anything apart: by always saying the commonest class. */

import { type FieldScope, scopesOf } from "./fields.ts";
import type { LabelValue, Target } from "./records.ts";
import type { Store, ValueCounts } from "./store/contract.ts";
import type { AnyTask } from "./task.ts";

/** Ends every such warning, wherever it is said. */
export const ONE_ANSWER = "one_answer_suffices";

/** Fewer labels say nothing of shares. */
const MIN_LABELS = 50;

/** The warning, with what to ask for instead; undefined where the target asks for more, or too little is known. */
export function oneAnswerSuffices(counts: ValueCounts, { risk, recall, never }: Target): string | undefined {
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const [most, ...rest] = counts.toSorted(([, a], [, b]) => b - a);
  if (!most || total < MIN_LABELS || total - most[1] > risk * total) return undefined;
  if (never?.includes(most[0]) || rest.some(([value]) => recall?.[value] !== undefined)) return undefined;
  const others = rest.map(([value, count]) => `"${value}" ${count}`).join(", ") || "none";
  const [rare = "…"] = rest.map(([value]) => value);
  return `always saying "${most[0]}" would keep the target: ${total - most[1]} of ${total} labels are another (${others}), a risk of ${risk} allows as many. A certificate then says nothing of them: set target.recall: { ${JSON.stringify(rare)}: 0.95 }, target.never, or a smaller risk [${ONE_ANSWER}]`;
}

export const isOneAnswer = (warning: string): boolean => warning.endsWith(`[${ONE_ANSWER}]`);

export const countValues = (values: Iterable<LabelValue>): ValueCounts =>
  [...Map.groupBy(values, (value) => value)].map(([value, { length }]) => [value, length] as const);

/**
 * The warning for every output of the task, by what is known of its rows before anything is trained: the labels in force, or
 * gold labels while there are too few of them. Usually empty.
 */
export async function oneAnswerWarnings(store: Store, task: AnyTask): Promise<readonly string[]> {
  const found: string[] = [];
  for (const scope of scopesOf(store, task)) found.push(...(await warningsIn(scope)));
  return found;
}

/** Of one output, whose store this is. */
export async function warningsIn(scope: FieldScope): Promise<readonly string[]> {
  return inField(scope, await knownValues(scope.store));
}

async function knownValues(store: Store): Promise<ValueCounts> {
  const labels = await store.labels.countByValue();
  const total = labels.reduce((sum, [, count]) => sum + count, 0);
  return total >= MIN_LABELS ? labels : await store.gold.countByValue();
}

/** Of one output, by counts that the caller has. */
export function inField({ name, task }: Pick<FieldScope, "name" | "task">, counts: ValueCounts): readonly string[] {
  const warning = oneAnswerSuffices(counts, task.target);
  if (warning === undefined) return [];
  return [name === "" ? warning : `${name}: ${warning}`];
}
