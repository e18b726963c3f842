/** @file What was asked since the last turn of the wheel, and how much of it the student left to the teacher. */

import { proportionEstimate } from "../math/estimate.ts";
import type { Estimate, Round } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { requestsOf } from "./requests-of.ts";

export type RoundTraffic = Pick<Round, "requests" | "escalated">;

/** Since the end of the last of `rounds`, or from the beginning. Requests that nobody could answer count as escalated. */
export async function trafficSince(rounds: readonly Round[], store: Store): Promise<RoundTraffic> {
  const since = rounds.at(-1)?.endedAt ?? 0;
  const tallies = await store.history.traffic(since);
  const requests = requestsOf(tallies);
  const left = tallies.filter(({ route }) => route === "escalated" || route === "degraded");
  return { requests, escalated: shareOf(requestsOf(left), requests) };
}

/** No rows: nothing is known, which is the whole interval. */
export function shareOf(count: number, n: number): Estimate {
  return n === 0 ? { value: 0, low: 0, high: 1, n: 0 } : proportionEstimate(count, n);
}
