import { describe, expect, test } from "vitest";
import type { TeacherInput } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import type { Task } from "../task.ts";
import { type Ask, type AskOutcome, askTeacher } from "./ask-teacher.ts";
import { createPace } from "./pace.ts";
import {
  createTestTeacher,
  failures,
  fruitTask,
  openTestStore,
  type TeacherScript,
  textRow,
} from "./testing/fixtures.ts";
import { createVirtualClock } from "./testing/virtual-clock.ts";

const row = textRow("a red one");

async function openDesk(script: TeacherScript, task: Task = fruitTask()) {
  const clock = createVirtualClock({ settle: "io" });
  const store = await openTestStore([row]);
  const teacher = createTestTeacher(task, script);
  const context = { store, task, teacher, clock, seed: 1, pace: createPace({ clock, maxConcurrency: 8 }) };
  const ask = (changes: Partial<Ask> = {}): Promise<AskOutcome> =>
    clock.run(
      askTeacher(context, { rowId: row.id, pass: 1, loadInput: async () => ({ kind: "text", text: "x" }), ...changes }),
    );
  return { ...context, ask };
}

describe("asking the teacher", () => {
  test("an answer is recorded and its reservation settled", async () => {
    const { ask, store } = await openDesk({ reply: () => "apple" });
    const outcome = await ask();
    expect(outcome).toMatchObject({ kind: "answered", annotations: [{ value: "apple", pass: 1, simulated: true }] });
    expect(await store.annotations.ofRow(row.id)).toHaveLength(1);
    expect(await store.spend.totals()).toEqual({ spentUsd: 0.001, reservedUsd: 0, inFlight: 0 });
  });

  test("the cost is reserved before the request leaves", async () => {
    let reservedUsd = 0;
    const desk = await openDesk({
      reply: async () => {
        ({ reservedUsd } = await desk.store.spend.totals());
        return "apple";
      },
    });
    await desk.ask();
    expect(reservedUsd).toBe(0.002);
  });

  test("transport failures are retried under the same key, with growing pauses", async () => {
    const desk = await openDesk({ reply: ({ asked }) => (asked < 3 ? failures.down() : "apple") });
    const startMs = desk.clock.now();
    expect(await desk.ask()).toMatchObject({ kind: "answered" });
    expect(new Set(desk.teacher.requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect(desk.clock.now() - startMs).toBeGreaterThan(125 + 250 + 500);
  });

  test("a useless answer is charged, and the next request has a key of its own", async () => {
    const { ask, teacher, store } = await openDesk({
      reply: ({ asked }) => (asked < 2 ? failures.useless() : "apple"),
    });
    await ask();
    expect(new Set(teacher.requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(3);
    expect(await store.spend.totals()).toMatchObject({ spentUsd: 0.003, reservedUsd: 0 });
  });

  test("useless to the last: the failure carries the last charge, for whoever records it", async () => {
    const task = fruitTask({ teacher: { maxAttempts: 3 } });
    const { ask, store, teacher } = await openDesk({ reply: () => failures.useless() }, task);
    const outcome = await ask();
    expect(outcome).toMatchObject({
      kind: "failed",
      annotations: [{ failure: { code: "teacher_off_schema" }, costUsd: 0.001 }],
    });
    expect(teacher.requests).toHaveLength(3);
    if (outcome.kind === "failed") await store.annotations.put(outcome.annotations);
    expect(await store.spend.totals()).toEqual({ spentUsd: 0.003, reservedUsd: 0, inFlight: 0 });
  });

  test.each([
    ["refused", failures.refused, "failed"],
    ["a bad request", failures.badRequest, "failed"],
    ["a wrong key", failures.wrongKey, "blocked"],
  ])("%s is not asked twice", async (_, failure, kind) => {
    const { ask, teacher } = await openDesk({ reply: () => failure() });
    expect(await ask()).toMatchObject({ kind });
    expect(teacher.requests).toHaveLength(1);
  });

  test("down to the last attempt: unavailable, and nothing stays reserved", async () => {
    const { ask, store, teacher } = await openDesk({ reply: failures.down });
    expect(await ask()).toMatchObject({ kind: "unavailable", error: { code: "teacher_unavailable" } });
    expect(teacher.requests).toHaveLength(6);
    expect(await store.spend.totals()).toMatchObject({ spentUsd: 0, reservedUsd: 0, inFlight: 0 });
  });

  test("silent to the last attempt: the reservation stays, for it may have been charged", async () => {
    const { ask, store } = await openDesk({ reply: failures.silent });
    expect(await ask()).toMatchObject({ kind: "unavailable" });
    expect(await store.spend.totals()).toMatchObject({ spentUsd: 0, reservedUsd: 0.002, inFlight: 1 });
  });

  test("asked again after doubt, it is the same key, and paid once", async () => {
    let isUp = false;
    const { ask, store, teacher } = await openDesk({ reply: () => (isUp ? "pear" : failures.silent()) });
    await ask();
    isUp = true;
    await ask();
    expect(new Set(teacher.requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect(await store.spend.totals()).toEqual({ spentUsd: 0.001, reservedUsd: 0, inFlight: 0 });
  });

  test("a provider that has closed for the day is not waited for", async () => {
    const { ask, clock, teacher } = await openDesk({ reply: () => failures.limited(86_400_000) });
    const startMs = clock.now();
    expect(await ask()).toMatchObject({ kind: "unavailable" });
    expect(teacher.requests).toHaveLength(1);
    expect(clock.now() - startMs).toBeLessThan(1000);
  });

  test("over budget nothing is sent", async () => {
    const { ask, teacher, store } = await openDesk({ reply: () => "apple" }, fruitTask({ budgetUsd: 0.001 }));
    expect(await ask()).toEqual({ kind: "over-budget" });
    expect(teacher.requests).toHaveLength(0);
    expect(await store.spend.totals()).toMatchObject({ spentUsd: 0, reservedUsd: 0, inFlight: 0 });
  });

  test("a payload that cannot be loaded is the row's failure, and its turn goes to the next", async () => {
    const { ask, pace } = await openDesk({ reply: () => "apple" });
    const loadInput = () => Promise.reject<TeacherInput>(new FlywheelError("blob_missing", "gone"));
    expect(await ask({ loadInput })).toMatchObject({ kind: "unreadable", error: { code: "blob_missing" } });
    expect(pace.state().inFlight).toBe(0);
  });

  test("stopped between attempts, it lets go of what is certain not to be charged", async () => {
    const stop = new AbortController();
    const { ask, store } = await openDesk({
      reply: () => {
        stop.abort();
        return failures.down();
      },
    });
    expect(await ask({ stop: stop.signal })).toEqual({ kind: "stopped" });
    expect((await store.spend.totals()).reservedUsd).toBe(0);
  });

  test("aborted in flight, it rejects and leaves the reservation in doubt", async () => {
    const abort = new AbortController();
    const { ask, store } = await openDesk({
      reply: () => {
        abort.abort(new Error("enough"));
        return new Promise(() => undefined);
      },
    });
    await expect(ask({ stop: abort.signal, signal: abort.signal })).rejects.toThrow("enough");
    expect((await store.spend.totals()).inFlight).toBe(1);
  });
});
