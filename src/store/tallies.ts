/**
 * @file Sums over the decisions, kept in the transaction that records them, so that nobody reads a million to count them.
 *
 * By hour, route and reason: requests, what was paid for them, and how long they took. By day, for what the student answered
 * alone: a histogram of how long. Hours and days are those of UTC.
 */

import type { Decision } from "../records.ts";
import type { RunNow } from "./database.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export const hourOf = (at: number): number => Math.floor(at / HOUR_MS);
export const dayOf = (at: number): number => Math.floor(at / DAY_MS);

/** As the store counts money (`spend.ts`). */
const NANO_PER_USD = 1e9;

type Sums = {
  readonly hour: number;
  readonly route: string;
  readonly reason: string;
  requests: number;
  paid: number;
  cost: number;
  first: number;
  last: number;
};

const addSums = `insert into tallies (field, hour, route, reason, requests, paid, cost, first_at, last_at)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?)
  on conflict (field, hour, route, reason) do update set requests = tallies.requests + excluded.requests,
    paid = tallies.paid + excluded.paid, cost = tallies.cost + excluded.cost,
    first_at = case when excluded.first_at < tallies.first_at then excluded.first_at else tallies.first_at end,
    last_at = case when excluded.last_at > tallies.last_at then excluded.last_at else tallies.last_at end`;

const addLatency = `insert into latencies (field, day, step, requests) values (?, ?, ?, ?)
  on conflict (field, day, step) do update set requests = latencies.requests + excluded.requests`;

/** Decisions that are new in the store, one statement a sum. */
export function tally(run: RunNow, field: string, decisions: readonly Decision[]): void {
  for (const { hour, route, reason, requests, paid, cost, first, last } of sumsOf(decisions))
    run(addSums, [field, hour, route, reason, requests, paid, cost, first, last]);
  for (const [day, steps] of stepsOf(decisions))
    for (const [step, requests] of steps) run(addLatency, [field, day, step, requests]);
}

function sumsOf(decisions: readonly Decision[]): Iterable<Sums> {
  const sums = new Map<string, Sums>();
  for (const { at, route, reason = "", costUsd } of decisions) {
    const hour = hourOf(at);
    const key = `${hour} ${route} ${reason}`;
    const known = sums.get(key) ?? { hour, route, reason, requests: 0, paid: 0, cost: 0, first: at, last: at };
    known.requests += 1;
    known.paid += Number(costUsd > 0);
    known.cost += Math.round(costUsd * NANO_PER_USD);
    known.first = Math.min(known.first, at);
    known.last = Math.max(known.last, at);
    sums.set(key, known);
  }
  return sums.values();
}

function stepsOf(decisions: readonly Decision[]): ReadonlyMap<number, ReadonlyMap<number, number>> {
  const days = new Map<number, Map<number, number>>();
  for (const { at, route, latencyMs } of decisions) {
    if (route !== "answered") continue;
    const steps = days.get(dayOf(at)) ?? new Map<number, number>();
    const step = latencyStep(latencyMs);
    days.set(dayOf(at), steps.set(step, (steps.get(step) ?? 0) + 1));
  }
  return days;
}

/** Each step of the histogram is 2% wide: a quantile read from it is within 1%. From a microsecond on. */
const STEP = Math.log(1.02);
const LEAST_MS = 0.001;

const latencyStep = (ms: number): number => (ms <= LEAST_MS ? 0 : Math.ceil(Math.log(ms / LEAST_MS) / STEP));

/** The middle of a step. */
export const latencyAt = (step: number): number => LEAST_MS * Math.exp((step - 0.5) * STEP);
export const toUsd = (nano: number): number => nano / NANO_PER_USD;
