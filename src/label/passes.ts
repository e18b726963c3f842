/** @file Which rows still have to be asked, pass by pass. */

import type { Row, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { promptVersion, type Task } from "../task.ts";

/** Rows fetched at once. */
const PAGE = 256;

export type RowsToAskOptions = {
  readonly store: Store;
  readonly task: Task;
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
  if (pass === 3) return await store.annotations.disagreements(query);
  return await store.annotations.missingPass({ ...query, pass, origin });
}

export type PassCounts = {
  readonly rows: number;
  /** Recorded under the task's prompt version, failures included; index 0 is pass 1. */
  readonly done: readonly [number, number, number];
  /** Rows whose first two passes both gave a value, and those of them that differ. */
  readonly compared: number;
  readonly disagreed: number;
  /** Rows that the pass still has to ask; unknown for pass 3 until the second is over. */
  toAsk(pass: number): number | undefined;
};

/** One scan over the annotations. */
export async function countPasses({
  store,
  task,
  origin = "ingest",
}: Omit<RowsToAskOptions, "pass" | "limit">): Promise<PassCounts> {
  const rows = await store.rows.count({ origin });
  const version = promptVersion(task);
  const done: [number, number, number] = [0, 0, 0];
  let [compared, disagreed] = [0, 0];
  for await (const { annotations } of store.annotations.byRow()) {
    const values = [undefined, undefined] as [string | undefined, string | undefined];
    for (const annotation of annotations) {
      if (annotation.annotator !== "teacher" || annotation.promptVersion !== version || annotation.pass < 1) continue;
      done[annotation.pass - 1]!++;
      if (annotation.pass <= 2) values[annotation.pass - 1] = annotation.value;
    }
    if (values[0] === undefined || values[1] === undefined) continue;
    compared++;
    if (values[0] !== values[1]) disagreed++;
  }
  const toAsk = (pass: number) => (pass === 3 ? undefined : Math.max(0, rows - done[pass - 1]!));
  return { rows, done, compared, disagreed, toAsk };
}
