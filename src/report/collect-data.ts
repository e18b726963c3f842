/** @file The rows, and the inputs that could not become any. */

import { type Rejection, Split } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { DataSection, Tally } from "./report-data.ts";

const MOST_REJECTIONS_SHOWN = 20;

export async function collectData(store: Store, goldCount: number): Promise<DataSection> {
  const [rows, ingested, uniform, rejections] = await Promise.all([
    store.rows.count(),
    store.rows.count({ origin: "ingest" }),
    store.rows.count({ uniform: true }),
    store.rows.rejections(),
  ]);
  const bySplit = await Promise.all(Split.map(async (split) => [split, await store.rows.count({ split })] as const));
  return {
    rows,
    ingested,
    traffic: rows - ingested,
    uniform,
    splits: { train: 0, calibrate: 0, certify: 0, ...Object.fromEntries(bySplit) },
    gold: goldCount,
    rejected: {
      count: rejections.length,
      byCode: tally(rejections.map(({ code }) => code)),
      examples: bySource(rejections).slice(0, MOST_REJECTIONS_SHOWN),
    },
  };
}

/** How often each name occurs, most frequent first. */
export function tally(names: Iterable<string>): readonly Tally[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return tallyOf(counts);
}

export function tallyOf(counts: ReadonlyMap<string, number>): readonly Tally[] {
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || order(a.name, b.name));
}

const order = (a: string, b: string): number => Number(a > b) - Number(a < b);

const bySource = (rejections: readonly Rejection[]): readonly Rejection[] =>
  rejections.toSorted((a, b) => order(a.source, b.source));
