/**
 * @file A person, simulated: rules on the review queue from gold, wrong now and then. For demonstrations, benchmarks and
 * tests; its rulings carry its name, so that no report takes them for a person's.
 */

import type { Clock } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { createRng, fork, type Seed } from "../math/random.ts";
import type { LabelValue, RowId } from "../records.ts";
import type { ReviewItem } from "../review/review-item.ts";
import { type RecordedRulings, recordRulings } from "../review/rulings.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, type Task } from "../task.ts";

export const simulatedReviewer = "simulated-reviewer";

/**
 * Rules on every item that has gold. Each ruling depends on the seed and the row alone, not on the order of the items.
 * @throws FlywheelError `invalid_accuracy`, `invalid_gold` where gold is no label of the task
 */
export async function simulateReview(options: {
  readonly store: Store;
  readonly task: Task;
  readonly items: readonly ReviewItem[];
  /** The store's by default. */
  readonly gold?: ReadonlyMap<RowId, LabelValue>;
  /** Share of rulings that equal gold, in [0, 1]; 1 by default. Wrong ones are spread evenly over the other labels. */
  readonly accuracy?: number;
  readonly seed: Seed;
  readonly clock: Clock;
}): Promise<RecordedRulings & { readonly withoutGold: number }> {
  const { store, task, items, accuracy = 1, seed, clock } = options;
  if (!(accuracy >= 0 && accuracy <= 1)) {
    throw new FlywheelError("invalid_accuracy", `accuracy ${accuracy}`, { hint: "a share in [0, 1]" });
  }
  const gold = options.gold ?? (await store.gold.all());
  const judged = items.flatMap(({ row }) => ({ rowId: row.id, value: gold.get(row.id) }));
  const rulings = judged.flatMap(({ rowId, value }) =>
    value === undefined
      ? []
      : [{ rowId, person: simulatedReviewer, value: ruleOn(rowId, value, { task, accuracy, seed }) }],
  );
  return { ...(await recordRulings(store, rulings, clock)), withoutGold: items.length - rulings.length };
}

function ruleOn(
  id: RowId,
  gold: LabelValue,
  { task, accuracy, seed }: { readonly task: Task; readonly accuracy: number; readonly seed: Seed },
): LabelValue {
  const classes = classesOf(task);
  if (!classes.includes(gold)) {
    throw new FlywheelError("invalid_gold", `row ${id} has the gold label "${gold}", which the task does not know`);
  }
  const rng = createRng(fork(seed, simulatedReviewer, id));
  if (rng.next() < accuracy) return gold;
  const others = classes.filter((value) => value !== gold);
  return others[rng.integer(others.length)]!;
}
