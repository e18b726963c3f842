import { describe, expect, test } from "vitest";
import type { Task } from "../task.ts";
import { planLabelling } from "./plan-labelling.ts";
import { fruitTask, openTestStore, teacherSays, textRow, textRows } from "./testing/fixtures.ts";

const plan = async (task: Task, rows = textRows(100)) => planLabelling({ store: await openTestStore(rows), task });

describe("the plan", () => {
  test("counts passes, tokens and money of every row, and a range for the third pass", async () => {
    const { rows, passes, requests, costUsd, durationMs } = await plan(fruitTask());
    expect(rows).toBe(100);
    expect(passes.map((pass) => pass.rows)).toEqual([
      { low: 100, high: 100 },
      { low: 100, high: 100 },
      { low: 2, high: 25 },
    ]);
    expect(requests).toEqual({ low: 202, high: 225 });
    expect(costUsd?.low).toBeGreaterThan(0);
    expect(costUsd?.high).toBeGreaterThan(costUsd?.low ?? 0);
    expect(durationMs.high).toBeGreaterThan(durationMs.low);
  });

  test("leaves out what is done, and learns from it how often passes differ", async () => {
    const rows = textRows(200);
    const store = await openTestStore(rows);
    await store.annotations.put(
      rows
        .slice(0, 100)
        .flatMap((row, index) => [teacherSays(row, 1), teacherSays(row, 2, { value: index < 10 ? "pear" : "apple" })]),
    );
    const { passes } = await planLabelling({ store, task: fruitTask() });
    expect(passes[0]?.rows).toEqual({ low: 100, high: 100 });
    expect(passes[2]?.rows).toEqual({ low: 10 + 7, high: 10 + 14 });
  });

  test.each([
    [100, "yes"],
    [0.0000001, "no"],
  ])("holds a budget of $%d against it", async (budgetUsd, covers) => {
    expect((await plan(fruitTask({ budgetUsd }))).budget).toMatchObject({ budgetUsd, covers });
  });

  test("says that a price is unknown instead of guessing one", async () => {
    const task = fruitTask({ teacher: { model: "openai/gpt-99", price: undefined }, budgetUsd: 5 });
    const { costUsd, budget, notes } = await plan(task);
    expect(costUsd).toBeUndefined();
    expect(budget?.covers).toBe("unknown");
    expect(notes.join()).toContain("price unknown: openai/gpt-99");
  });

  test("counts images by the provider's rule", async () => {
    const blob = "0".repeat(64) as never;
    const image = textRow("x", { input: { kind: "image", blob, width: 768, height: 768, mediaType: "image/png" } });
    const task = fruitTask({ input: "image", teacher: { model: "google/gemini-2.5-flash", price: undefined } });
    const { passes, notes } = await plan(task, [image]);
    expect(passes[0]?.tokens.input.low).toBeGreaterThan(0.8 * 4 * 258);
    expect(notes.join()).toContain("list prices as of");
  });

  test("of an empty workspace says what comes first", async () => {
    expect((await plan(fruitTask(), [])).notes.join()).toContain("flywheel ingest");
  });

  test("a teacher on this machine is free as far as we know, and that is said", async () => {
    const at = (baseUrl: string, price?: { inputPerMillionUsd: number; outputPerMillionUsd: number }) =>
      fruitTask({ teacher: { model: "compatible/own", baseUrl, price } });
    const notesOf = async (task: ReturnType<typeof at>) => (await plan(task)).notes.join();
    expect(await notesOf(at("http://127.0.0.1:1/v1"))).toMatch(/^compatible\/own on this machine is counted as free/);
    const price = { inputPerMillionUsd: 1, outputPerMillionUsd: 1 };
    expect(await notesOf(at("http://127.0.0.1:1/v1", price))).toBe("");
  });
});
