/** @file Which rows still have to be asked, pass by pass. */

import { fieldNames } from "../fields.ts";
import type { Row, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { type AnyTask, promptVersion } from "../task.ts";

/** Rows fetched at once. */
const PAGE = 256;

export type RowsToAskOptions = {
  readonly store: Store;
  readonly task: AnyTask;
  readonly pass: number;
  /** At most this many. */
  readonly limit: number;
  readonly origin?: Row["origin"] | undefined;
};

/** In id order, in bounded memory. Pass 3 is for rows whose first two passes disagree. */
export async function* rowsToAsk(options: RowsToAskOptions): AsyncGenerator<Row> {
  let after: RowId | undefined;
  for (let left = options.limit; left > 0; ) {
    const rows = await page(options, Math.min(PAGE, left), after);
    if (rows.length === 0) return;
    yield* rows;
    left -= rows.length;
    after = rows.at(-1)?.id;
  }
}

async function page(
  { store, task, pass, origin = "ingest" }: RowsToAskOptions,
  limit: number,
  after: RowId | undefined,
): Promise<readonly Row[]> {
  const query = { promptVersion: promptVersion(task), limit, ...(after !== undefined && { after }) };
  const fields = fieldNames(task).map((name) => store.field(name));
  if (pass === 3) return firstRows(await Promise.all(fields.map((own) => own.annotations.disagreements(query))), limit);
  // All fields are asked in one request: a row that lacks the pass lacks it in the first of them.
  return await fields[0]!.annotations.missingPass({ ...query, pass, origin });
}

/** The first `limit` rows in id order of several lists that are: a row is adjudicated where any field of it is in dispute. */
function firstRows(lists: readonly (readonly Row[])[], limit: number): readonly Row[] {
  const rows = new Map(lists.flat().map((row) => [row.id, row]));
  return [...rows.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
}

export type PassCounts = {
  readonly rows: number;
  /** Recorded under the task's prompt version, failures included; index 0 is pass 1. */
  readonly done: readonly [number, number, number];
  /** Rows whose first two passes both gave a value (to the first field), and rows on which they differ (in any). */
  readonly compared: number;
  readonly disagreed: number;
  /** Rows that the pass still has to ask; unknown for pass 3 until the second is over. */
  toAsk(pass: number): number | undefined;
};

/** One scan over the annotations of each field. */
export async function countPasses({
  store,
  task,
  origin = "ingest",
}: Omit<RowsToAskOptions, "pass" | "limit">): Promise<PassCounts> {
  const rows = await store.rows.count({ origin });
  const version = promptVersion(task);
  const done: [number, number, number] = [0, 0, 0];
  const disagreed = new Set<RowId>();
  let compared = 0;
  for (const [index, name] of fieldNames(task).entries()) {
    for await (const { rowId, annotations } of store.field(name).annotations.byRow()) {
      const values = [undefined, undefined] as [string | undefined, string | undefined];
      for (const annotation of annotations) {
        if (annotation.annotator !== "teacher" || annotation.promptVersion !== version || annotation.pass < 1) continue;
        if (index === 0) done[annotation.pass - 1]!++;
        if (annotation.pass <= 2) values[annotation.pass - 1] = annotation.value;
      }
      if (values[0] === undefined || values[1] === undefined) continue;
      if (index === 0) compared++;
      if (values[0] !== values[1]) disagreed.add(rowId);
    }
  }
  const toAsk = (pass: number) => (pass === 3 ? undefined : Math.max(0, rows - done[pass - 1]!));
  return { rows, done, compared, disagreed: disagreed.size, toAsk };
}
