/** @file Requests that were routed: where they went, why, and how long the student's own answers took. */

import { requestsOf } from "../improve/requests-of.ts";
import { proportionEstimate } from "../math/estimate.ts";
import { Route } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { tallyOf } from "./collect-data.ts";
import type { ServedLatency } from "./latency.ts";
import type { Section, TrafficSection } from "./report-data.ts";

export type Traffic = { readonly section: Section<TrafficSection>; readonly served: readonly ServedLatency[] };

export async function collectTraffic({ history, decisions }: Store): Promise<Traffic> {
  const [tallies, served] = [await history.traffic(), await history.latencies()];
  const requests = requestsOf(tallies);
  if (requests === 0)
    return { section: { missing: "No request has been served yet.", next: "flywheel serve" }, served };
  const counted = (routes: readonly Route[]) => requestsOf(tallies.filter(({ route }) => routes.includes(route)));
  const overBudget = await decisions.overBudget();
  const section = {
    requests,
    byRoute: Route.map((route) => ({ name: route, count: counted([route]) })),
    byReason: tallyOf(reasonsOf(tallies)),
    escalated: proportionEstimate(counted(["escalated", "degraded"]), requests),
    ...(overBudget && { overBudget: proportionEstimate(Math.min(overBudget.requests, requests), requests) }),
    from: Math.min(...tallies.map(({ firstAt }) => firstAt)),
    to: Math.max(...tallies.map(({ lastAt }) => lastAt)),
  };
  return { section, served };
}

function reasonsOf(tallies: Awaited<ReturnType<Store["history"]["traffic"]>>): Map<string, number> {
  const reasons = new Map<string, number>();
  for (const { reason, requests } of tallies) if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + requests);
  return reasons;
}
