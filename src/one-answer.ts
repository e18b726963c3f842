/** @file Whether a target can be met without telling anything apart: by always saying the commonest class. */

import type { LabelValue, Target } from "./records.ts";

/** Fewer labels say nothing of shares. */
const MIN_LABELS = 50;

/** The warning, with what to ask for instead; undefined where the target asks for more, or too little is known. */
export function oneAnswerSuffices(
  counts: readonly (readonly [value: LabelValue, count: number])[],
  { risk, recall, never }: Target,
): string | undefined {
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const [most, ...rest] = counts.toSorted(([, a], [, b]) => b - a);
  if (!most || total < MIN_LABELS || total - most[1] > risk * total) return undefined;
  if (never?.includes(most[0]) || rest.some(([value]) => recall?.[value] !== undefined)) return undefined;
  const others = rest.map(([value, count]) => `"${value}" ${count}`).join(", ") || "none";
  const [rare = "…"] = rest.map(([value]) => value);
  return `always saying "${most[0]}" would keep the target: ${total - most[1]} of ${total} labels are another (${others}), a risk of ${risk} allows as many. A certificate then says nothing of them: set target.recall: { ${JSON.stringify(rare)}: 0.95 }, target.never, or a smaller risk`;
}
