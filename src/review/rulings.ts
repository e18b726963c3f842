/** @file Rulings become annotations: who, when, and never the same one twice. */

import { createHash } from "node:crypto";
import type { Clock } from "../contracts.ts";
import type { LabelValue, PersonAnnotation, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";

/** What a person decided about a row. */
export type Ruling = {
  readonly rowId: RowId;
  readonly person: string;
  readonly value: LabelValue;
  readonly note?: string;
  /** When it was made; absent where nobody wrote that down: then it was made now, after all that is known. */
  readonly at?: number;
};

export type RecordedRulings = {
  readonly recorded: number;
  /** Rulings that repeat the person's last word on the row. */
  readonly unchanged: number;
  /** Rows whose label must be derived anew. */
  readonly rowIds: readonly RowId[];
};

/** Records those rulings that say something new, in one transaction. */
export async function recordRulings(store: Store, rulings: readonly Ruling[], clock: Clock): Promise<RecordedRulings> {
  const now = clock.now();
  const annotations: PersonAnnotation[] = [];
  for (const [rowId, given] of Map.groupBy(rulings, (ruling) => ruling.rowId)) {
    const known = (await store.annotations.ofRow(rowId)).filter((annotation) => annotation.annotator === "person");
    for (const ruling of given) {
      const annotation = newAnnotation(ruling, known, now);
      if (annotation) known.push(annotation);
      if (annotation) annotations.push(annotation);
    }
  }
  await store.annotations.put(annotations);
  const rowIds = [...new Set(annotations.map(({ rowId }) => rowId))];
  return { recorded: annotations.length, unchanged: rulings.length - annotations.length, rowIds };
}

/** As `recordRulings`, each ruling with its field; empty where the task has one output. */
export async function recordByField(
  store: Store,
  rulings: readonly (Ruling & { readonly field: string })[],
  clock: Clock,
): Promise<RecordedRulings> {
  const recorded: RecordedRulings[] = [];
  for (const [field, given] of Map.groupBy(rulings, (ruling) => ruling.field)) {
    const plain = given.map(({ field: _, ...ruling }) => ruling);
    recorded.push(await recordRulings(store.field(field), plain, clock));
  }
  return {
    recorded: recorded.reduce((sum, one) => sum + one.recorded, 0),
    unchanged: recorded.reduce((sum, one) => sum + one.unchanged, 0),
    rowIds: [...new Set(recorded.flatMap(({ rowIds }) => rowIds))],
  };
}

function newAnnotation(ruling: Ruling, known: readonly PersonAnnotation[], now: number): PersonAnnotation | undefined {
  const own = known.filter(({ person }) => person === ruling.person).toSorted((a, b) => a.at - b.at);
  const last = own.at(-1);
  const at = ruling.at ?? Math.max(now, (last?.at ?? -1) + 1);
  if (own.some((one) => says(one, ruling) && (one === last || one.at === at))) return undefined;
  return { annotator: "person", id: rulingId(ruling, own.length), ...ruling, at };
}

/** A ruling without a note does not take an earlier note back. */
const says = (known: PersonAnnotation, { value, note }: Ruling): boolean =>
  known.value === value && (note === undefined || note === known.note);

/**
 * 64 hex digits. Which of the person's rulings on the row it is goes in, so that a person may return to an earlier
 * opinion, while two processes that import the same file make the same annotation.
 */
function rulingId({ rowId, person, value, note }: Ruling, ordinal: number): string {
  const content = JSON.stringify(["person", rowId, person, ordinal, value, note ?? ""]);
  return createHash("sha256").update(content).digest("hex");
}
