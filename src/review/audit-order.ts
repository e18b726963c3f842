/**
 * @file The uniform share of the queue. Certify rows come first, in the order of `auditPosition` and without gaps: whoever
 * has ruled from the front has ruled on a uniform sample of them, and only that sample may measure or certify.
 */

import type { Row, RowId, Split } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { auditPosition } from "../task.ts";

/** Certify rows measure and certify; when all are ruled on, calibrate rows, then train rows. */
const splitOrder = ["certify", "calibrate", "train"] as const satisfies readonly Split[];

/** The next `limit` uniform rows on which nobody has ruled. */
export async function nextAudits(store: Store, ruled: ReadonlySet<RowId>, limit: number): Promise<readonly Row[]> {
  const audits: Row[] = [];
  for (const split of splitOrder) {
    if (audits.length >= limit) break;
    audits.push(...(await auditsOfSplit(store, { split, ruled, limit: limit - audits.length })));
  }
  return audits;
}

async function auditsOfSplit(
  store: Store,
  { split, ruled, limit }: { readonly split: Split; readonly ruled: ReadonlySet<RowId>; readonly limit: number },
): Promise<readonly Row[]> {
  const ids: RowId[] = [];
  for await (const { id } of store.rows.list({ split, uniform: true })) if (!ruled.has(id)) ids.push(id);
  const first = ids
    .map((id) => ({ id, position: auditPosition(id) }))
    .sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1))
    .slice(0, limit)
    .map(({ id }) => id);
  const rows = new Map((await store.rows.getMany(first)).map((row) => [row.id, row]));
  return first.flatMap((id) => rows.get(id) ?? []);
}
