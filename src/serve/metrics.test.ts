import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { createMetrics } from "./metrics.ts";
import { openServeWorld } from "./testing/world.ts";

test("scrapes at the same time say the same sums", async () => {
  const { task, store } = await openServeWorld();
  const decisions = { ...store.decisions, overBudget: async () => ({ requests: 3, firstAt: 1, lastAt: 1 }) };
  const totals = { ...(await store.spend.totals()), spentUsd: 0.5 };
  const slow = {
    ...store,
    decisions,
    spend: {
      ...store.spend,
      async totals() {
        await sleep(5);
        return totals;
      },
    },
  };
  const students = { serving: {} };
  const router = { fields: [{ name: "", task, store: slow, students }], backlog: { depth: async () => 2 } } as never;
  const metrics = createMetrics({ task, store: slow, router, clock: systemClock });
  const scrapes = await Promise.all([1, 2, 3].map(async () => (await metrics.expose()).text));
  for (const text of scrapes) {
    expect(text).toContain('flywheel_cost_usd_total{provider="compatible"} 0.5');
    expect(text).toContain('flywheel_budget_exhausted_requests_total{task="fruit"} 3');
  }
});
