import { expect, test } from "vitest";
import type { SpendTotals } from "../budget.ts";
import { createBudgetWatch } from "./budget-watch.ts";
import { openTestStore } from "./testing/fixtures.ts";

async function watch(totals: { value: SpendTotals }) {
  const events: string[] = [];
  const store = await openTestStore();
  const spend = { ...store.spend, totals: async () => totals.value };
  const watching = createBudgetWatch({
    store: { ...store, spend },
    budgetUsd: 1,
    onBudgetSpent: ({ remainingUsd }) => events.push(`spent, ${remainingUsd.toFixed(2)} left`),
    onBudgetRestored: () => events.push("restored"),
  });
  return { watching, events };
}

test("a budget that only waits for what is in flight is not spent", async () => {
  const totals = { value: { spentUsd: 0.5, reservedUsd: 0.45, inFlight: 3, neededUsd: 0.1 } };
  const { watching, events } = await watch(totals);
  await watching.refused();
  expect(events).toEqual([]);
  totals.value = { spentUsd: 0.95, reservedUsd: 0, inFlight: 0, neededUsd: 0.1 };
  await watching.refused();
  await watching.refused();
  expect(events).toEqual(["spent, 0.05 left"]);
});

test("it is restored, once, by a question that may cost as much as the one refused", async () => {
  const { watching, events } = await watch({ value: { spentUsd: 1, reservedUsd: 0, inFlight: 0, neededUsd: 0.1 } });
  watching.allowed(0.1);
  await watching.refused();
  watching.allowed(0.01);
  expect(events).toEqual(["spent, 0.00 left"]);
  watching.allowed(0.1);
  watching.allowed(0.1);
  expect(events).toEqual(["spent, 0.00 left", "restored"]);
  await watching.refused();
  expect(events).toEqual(["spent, 0.00 left", "restored", "spent, 0.00 left"]);
});
