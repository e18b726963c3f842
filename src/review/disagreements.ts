/** @file Rows on which people disagree: they are told so, since one of them is wrong and the latest word alone would hide it. */

import { fieldsOf } from "../fields.ts";
import type { LabelValue, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { latestRulings, personVerdict } from "../verdict.ts";

export type Disagreement = {
  readonly rowId: RowId;
  /** Where the row came from. */
  readonly source: string;
  /** Empty where the task has one output. */
  readonly field: string;
  /** The last word of each person, oldest first. */
  readonly said: readonly { readonly person: string; readonly value: LabelValue }[];
  /** The label in force: that of most people, of equals the latest. */
  readonly counts: LabelValue;
};

/** Among `rowIds`, in their order. */
export async function findDisagreements(
  store: Store,
  task: AnyTask,
  rowIds: readonly RowId[],
): Promise<readonly Disagreement[]> {
  const found: Disagreement[] = [];
  for (const rowId of rowIds) {
    for (const { name: field } of fieldsOf(task)) {
      const rulings = latestRulings(await store.field(field).annotations.ofRow(rowId));
      if (new Set(rulings.map(({ value }) => value)).size < 2) continue;
      const source = (await store.rows.get(rowId))?.source ?? "";
      const said = rulings.map(({ person, value }) => ({ person, value }));
      found.push({ rowId, source, field, said, counts: personVerdict(rulings)! });
    }
  }
  return found;
}
