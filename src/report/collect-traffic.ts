/** @file Requests that were routed: where they went, why, and how long the student's own answers took. */

import { proportionEstimate } from "../math/estimate.ts";
import { Route } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { tallyOf } from "./collect-data.ts";
import type { Section, TrafficSection } from "./report-data.ts";

export type Traffic = { readonly section: Section<TrafficSection>; readonly servedMs: readonly number[] };

export async function collectTraffic(store: Store): Promise<Traffic> {
  const routes = new Map<string, number>();
  const reasons = new Map<string, number>();
  const servedMs: number[] = [];
  let [from, to, requests] = [Infinity, -Infinity, 0];
  for await (const { route, reason, at, latencyMs } of store.decisions.list()) {
    requests++;
    [from, to] = [Math.min(from, at), Math.max(to, at)];
    add(routes, route);
    if (reason) add(reasons, reason);
    if (route === "answered") servedMs.push(latencyMs);
  }
  if (requests === 0)
    return { section: { missing: "No request has been served yet.", next: "flywheel serve" }, servedMs };
  const escalated = (routes.get("escalated") ?? 0) + (routes.get("degraded") ?? 0);
  const section = {
    requests,
    byRoute: Route.map((route) => ({ name: route, count: routes.get(route) ?? 0 })),
    byReason: tallyOf(reasons),
    escalated: proportionEstimate(escalated, requests),
    from,
    to,
  };
  return { section, servedMs };
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
