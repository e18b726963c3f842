/**
 * @file Reading in pages by key: bounded memory, no statement held open, and rows that arrive meanwhile do no harm.
 */

import { setImmediate as turn } from "node:timers/promises";

/** Rows per page: large enough to hide the cost of a query, small enough to keep in memory. */
export const PAGE_SIZE = 1000;

/**
 * Every item, page after page.
 * @param read at most `PAGE_SIZE` items that come after `after`, in order; the first page has no `after`
 */
export async function* inPages<T>(read: (after: T | undefined) => Promise<readonly T[]>): AsyncGenerator<T> {
  let after: T | undefined;
  while (true) {
    const page = await read(after);
    yield* page;
    if (page.length < PAGE_SIZE) return;
    after = page.at(-1);
    // A page is read at once: whoever shares the process has a turn in between.
    await turn();
  }
}

/** Consecutive slices of at most `size`; keeps statements under the database's limit of bound values. */
export function* inChunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
