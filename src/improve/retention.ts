/** @file For how long decisions are kept: what the task says, and what the round that is open still rests on. */

import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";

const DAY_MS = 86_400_000;

/** Drops what is older than the task keeps. The traffic of a round is counted from the end of the round before, to the request. */
export async function dropOldDecisions(store: Store, { retention }: AnyTask, now: number): Promise<number> {
  const { decisionDays } = retention;
  if (decisionDays === undefined) return 0;
  const keepHourOf = (await store.rounds.list()).at(-1)?.endedAt;
  return await store.history.dropDecisions(now - decisionDays * DAY_MS, { keepHourOf });
}
