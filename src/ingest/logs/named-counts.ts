/** @file How many of what: what a log holds besides calls, counted under the names that people are shown. */

export type NamedCounts = {
  /** The name under which it was counted. */
  add(name: string): string;
  /** Most frequent first. */
  all(): Readonly<Record<string, number>>;
};

/** A log may hold any number of different things. */
const MAX_NAMES = 30;
const REST = "other things are no call that this version reads";

export function createNamedCounts(): NamedCounts {
  const counts = new Map<string, number>();
  return {
    add(name) {
      const counted = counts.has(name) || counts.size < MAX_NAMES ? name : REST;
      counts.set(counted, (counts.get(counted) ?? 0) + 1);
      return counted;
    },
    all: () => Object.fromEntries([...counts].toSorted((a, b) => b[1] - a[1])),
  };
}

/** "412 spans carry `x.y`, which this version does not read; 3 …" */
export const sayCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join("; ");
