import { expect, test } from "vitest";
import { openTemporaryStore, putRows, stillClock } from "../review/testing.ts";
import { defineTask } from "../task.ts";
import { simulatedReviewer, simulateReview } from "./reviewer.ts";

const task = defineTask({
  name: "mood",
  input: "text",
  instructions: "Which mood?",
  output: { kind: "choice", choices: ["glad", "sad", "mad"] },
  teacher: { model: "compatible/simulated-teacher", baseUrl: "http://127.0.0.1:9/v1" },
});

test("rules from gold at its accuracy, under its own name, the same way in any order, and skips rows without gold", async () => {
  await using store = await openTemporaryStore();
  const rows = await putRows(store, 400);
  await store.gold.put(rows.slice(1).map(({ id }) => ({ rowId: id, value: "sad" })));
  const items = rows.map((row) => ({ kind: "audit", row, priority: 0, reasons: ["audit"] }) as const);
  const options = { store, task, accuracy: 0.9, seed: 7, clock: stillClock };
  expect(await simulateReview({ ...options, items })).toMatchObject({ recorded: 399, withoutGold: 1 });
  expect(await simulateReview({ ...options, items: items.toReversed() })).toMatchObject({
    recorded: 0,
    unchanged: 399,
  });
  const values: string[] = [];
  for await (const { person, value } of store.annotations.people()) {
    expect(person).toBe(simulatedReviewer);
    values.push(value);
  }
  // 40 wrong ones are expected of 399, standard deviation 6: five of these either way.
  const wrong = values.filter((value) => value !== "sad").length;
  expect(wrong).toBeGreaterThan(10);
  expect(wrong).toBeLessThan(70);
});

test("a perfect reviewer is never wrong; gold that the task does not know is refused", async () => {
  await using store = await openTemporaryStore();
  const rows = await putRows(store, 30);
  const items = rows.map((row) => ({ kind: "audit", row, priority: 0, reasons: ["audit"] }) as const);
  await store.gold.put(rows.map(({ id }) => ({ rowId: id, value: "mad" })));
  await simulateReview({ store, task, items, seed: 7, clock: stillClock });
  for await (const { value } of store.annotations.people()) expect(value).toBe("mad");
  await store.gold.put([{ rowId: rows[0]!.id, value: "hungry" }]);
  const again = simulateReview({ store, task, items, seed: 7, clock: stillClock });
  await expect(again).rejects.toMatchObject({ code: "invalid_gold" });
});
