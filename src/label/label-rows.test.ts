import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { type LabelRowsOptions, labelRows } from "./label-rows.ts";
import {
  createTestTeacher,
  failures,
  fruitTask,
  openTestStore,
  type TeacherScript,
  textRow,
  textRows,
} from "./testing/fixtures.ts";

type Run = Partial<LabelRowsOptions> & TeacherScript & { readonly task?: Task; readonly store?: Store };

async function run({ task = fruitTask(), store, reply, costUsd, maxCostUsd, ...options }: Run) {
  const open = store ?? (await openTestStore(textRows(20)));
  const price = { ...(costUsd !== undefined && { costUsd }), ...(maxCostUsd !== undefined && { maxCostUsd }) };
  const teacher = createTestTeacher(task, { reply, ...price });
  const summary = labelRows({ store: open, task, teacher, clock: systemClock, seed: 1, ...options });
  return { store: open, task, teacher, summary };
}

const even = (text: string): boolean => Number(text.replace(/\D/g, "")) % 2 === 0;

describe("labelling rows", () => {
  test("every row is asked twice, and a third time where the passes differ", async () => {
    const { summary, teacher, store } = await run({
      reply: ({ text, pass }) => (pass === 1 || even(text) ? "apple" : "pear"),
    });
    expect(await summary).toMatchObject({ answers: [20, 20, 10], failed: 0, deferred: 0, simulated: true });
    expect(teacher.requests).toHaveLength(50);
    expect((await summary).labels).toMatchObject({ agreed: 10, majority: 10, total: 20 });
    expect(await store.labels.count()).toBe(20);
  });

  test("the second pass does not wait for the last answer of the first", async () => {
    const second = Promise.withResolvers<void>();
    const reply: TeacherScript["reply"] = async ({ text, pass }) => {
      if (pass === 2) second.resolve();
      else if (text === "row 7") await second.promise;
      return "apple";
    };
    const { summary } = await run({ reply });
    expect(await summary).toMatchObject({ answers: [20, 20, 0] });
  });

  test("run again, nothing is asked", async () => {
    const { store, summary } = await run({ reply: () => "apple" });
    await summary;
    const again = await run({ store, reply: () => "pear" });
    expect(await again.summary).toMatchObject({ answers: [0, 0, 0], costUsd: 0, labels: { changed: 0 } });
    expect(again.teacher.requests).toHaveLength(0);
  });

  test("one pass where the task says so", async () => {
    const { summary } = await run({ task: fruitTask({ teacher: { passes: 1 } }), reply: () => "apple" });
    expect(await summary).toMatchObject({ answers: [20], labels: { single: 20 } });
  });

  test("limited to some rows, both passes ask the same ones; the next run goes on", async () => {
    const { store, summary } = await run({ limit: 6, reply: () => "apple" });
    expect(await summary).toMatchObject({ answers: [6, 6, 0], labels: { agreed: 6, total: 6 } });
    expect(await (await run({ store, reply: () => "apple" })).summary).toMatchObject({ answers: [14, 14, 0] });
  });

  test("traffic is left to those who serve it", async () => {
    const store = await openTestStore([textRow("asked live", { origin: "traffic" }), textRow("ingested")]);
    expect(await (await run({ store, reply: () => "apple" })).summary).toMatchObject({ answers: [1, 1, 0] });
  });

  test("a row that fails does not stop the rest, and is not asked again", async () => {
    const reply: TeacherScript["reply"] = ({ text }) => (text === "row 3" ? failures.refused() : "apple");
    const { store, summary } = await run({ reply });
    expect(await summary).toMatchObject({ answers: [19, 19, 0], failed: 2, labels: { total: 19 } });
    expect((await summary).failures[0]).toMatchObject({ code: "teacher_refused", pass: 1 });
    const again = await run({ store, reply });
    await again.summary;
    expect(again.teacher.requests).toHaveLength(0);
  });

  test("a payload that is gone fails its row and costs nothing", async () => {
    const blob = "0".repeat(64) as never;
    const missing = textRow("x", { input: { kind: "image", blob, width: 1, height: 1, mediaType: "image/png" } });
    const store = await openTestStore([missing, textRow("there")]);
    const { summary } = await run({ store, reply: () => "apple" });
    expect(await summary).toMatchObject({ answers: [1, 1, 0], failed: 2, failures: [{ code: "blob_missing" }, {}] });
  });

  test("a wrong key stops everything at once", async () => {
    const { summary, teacher, store } = await run({ reply: failures.wrongKey });
    await expect(summary).rejects.toMatchObject({ code: "teacher_unauthorised" });
    expect(teacher.requests.length).toBeLessThanOrEqual(8);
    expect(await store.spend.totals()).toMatchObject({ reservedUsd: 0 });
  });

  test("a key that is withdrawn half-way keeps what was labelled", async () => {
    let answered = 0;
    const { summary, store } = await run({ reply: () => (answered++ < 10 ? "apple" : failures.wrongKey()) });
    await expect(summary).rejects.toMatchObject({ code: "teacher_unauthorised" });
    expect(await store.labels.count()).toBeGreaterThanOrEqual(5);
  });

  test("a question that no row gets through stops the run, is paid for, and leaves the rows to a better one", async () => {
    const task = fruitTask({ teacher: { maxAttempts: 1 } });
    const store = await openTestStore(textRows(60));
    const { summary, teacher } = await run({ store, task, reply: () => failures.useless(0.001) });
    await expect(summary).rejects.toMatchObject({ code: "labels_unreadable" });
    expect(teacher.requests.length).toBeLessThan(60);
    expect((await store.spend.totals()).spentUsd).toBeCloseTo(teacher.requests.length * 0.001);
    expect(await (await run({ store, task, reply: () => "apple" })).summary).toMatchObject({ answers: [60, 60, 0] });
  });

  test("a teacher that is down stops the run instead of being asked for every row", async () => {
    const task = fruitTask({ teacher: { maxAttempts: 1 } });
    const store = await openTestStore(textRows(100));
    const { summary, teacher } = await run({ store, task, reply: failures.down });
    await expect(summary).rejects.toMatchObject({ code: "teacher_unavailable", retryable: true });
    expect(teacher.requests.length).toBeLessThan(60);
  });

  test("rows that a passing trouble deferred are asked once more at the end", async () => {
    const task = fruitTask({ teacher: { maxAttempts: 1 } });
    const { summary } = await run({
      task,
      reply: ({ text, asked }) => (text === "row 3" && asked === 0 ? failures.down() : "apple"),
    });
    expect(await summary).toMatchObject({ answers: [20, 20, 0], deferred: 2, labels: { agreed: 20 } });
    expect((await summary).trouble).toMatchObject({ code: "teacher_unavailable" });
  });

  test("the budget is a hard stop that counts what is in flight", async () => {
    const budgetUsd = 0.0205;
    let most = 0;
    const store = await openTestStore(textRows(40));
    const { summary } = await run({
      store,
      task: fruitTask({ budgetUsd }),
      costUsd: 0.001,
      maxCostUsd: 0.004,
      reply: async () => {
        const { spentUsd, reservedUsd } = await store.spend.totals();
        most = Math.max(most, spentUsd + reservedUsd);
        return "apple";
      },
    });
    expect(await summary).toMatchObject({ stopped: "budget" });
    expect(most).toBeLessThanOrEqual(budgetUsd);
    const { spentUsd, reservedUsd } = await store.spend.totals();
    // It goes on until not even one more request is sure to fit.
    expect(spentUsd).toBeGreaterThan(budgetUsd - 0.004 - 1e-9);
    expect(spentUsd).toBeLessThanOrEqual(budgetUsd);
    expect(reservedUsd).toBe(0);
  });

  test("interrupted, it waits for what is in flight and says so", async () => {
    const controller = new AbortController();
    let asked = 0;
    const { summary, store } = await run({
      signal: controller.signal,
      reply: async () => {
        if (++asked === 10) controller.abort();
        await new Promise((resolve) => setTimeout(resolve, 5));
        return "apple";
      },
    });
    const { stopped, answers } = await summary;
    expect(stopped).toBe("interrupted");
    expect(answers.reduce((sum, count) => sum + count, 0)).toBe(asked);
    expect(await store.spend.totals()).toMatchObject({ inFlight: 0 });
  });

  test("interrupted before it began, it asks nothing", async () => {
    const { summary, teacher } = await run({ signal: AbortSignal.abort(), reply: () => "apple" });
    expect(await summary).toMatchObject({ stopped: "interrupted" });
    expect(teacher.requests).toHaveLength(0);
  });

  test("reservations left by a killed run are reported as in doubt", async () => {
    const store = await openTestStore(textRows(3));
    await store.spend.reserve({ id: "in flight when killed", maxCostUsd: 0.5, at: 1 });
    const { summary } = await run({ store, reply: () => "apple" });
    expect((await summary).inDoubt).toEqual({ requests: 1, maxCostUsd: 0.5 });
  });

  test("progress shows rate, cost and what is left", async () => {
    const updates: Parameters<NonNullable<LabelRowsOptions["progress"]>>[0][] = [];
    await (await run({ reply: () => "apple", progress: (update) => updates.push(update) })).summary;
    expect(updates.at(-1)).toMatchObject({ stage: "label, passes 1 and 2", done: 40, total: 40 });
    expect(updates.at(-1)?.details).toMatchObject({ cost: "$0.0400", rate: expect.stringContaining("/s") });
  });
});
