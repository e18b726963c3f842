import { describe, expect, test, vi } from "vitest";
import { type TeacherAnswer, TeacherError, type TeacherRequest } from "../contracts.ts";
import type { TeacherDownPolicy } from "../records.ts";
import { createBreaker } from "./breaker.ts";
import { SUSPECT_ROWS } from "./suspicion.ts";
import { createFakeClock } from "./testing/fake-clock.ts";
import { createTestTeacher, fruitTask, openTestStore, textInput } from "./testing/fixtures.ts";
import { ask, openWorld } from "./testing/world.ts";

const failing = (code: string, more: ConstructorParameters<typeof TeacherError>[2] = {}) =>
  Promise.reject(new TeacherError(code, `${code} happened`, more));
const hopelesslyBusy = () => failing("teacher_rate_limited", { retryable: true, retryAfterMs: 30_000 });
const down = (whenTeacherDown: TeacherDownPolicy) => {
  const task = fruitTask({ whenTeacherDown });
  return openWorld({ task, teacher: createTestTeacher(task, hopelesslyBusy) });
};
/** Each call takes the next of `replies`, the last one for ever. */
const scripted = (replies: readonly (() => Promise<Partial<TeacherAnswer>>)[], task = fruitTask()) => {
  let next = 0;
  return createTestTeacher(task, () => replies[Math.min(next++, replies.length - 1)]!());
};

describe("while the teacher is down", () => {
  test("answer-flagged gives the student's guess, flagged", async () => {
    const { router, store } = await down("answer-flagged");
    const { answer, decision } = await ask(router, "pear", 0.6);
    expect(answer).toMatchObject({ kind: "student", value: "pear", isFlagged: true });
    expect(decision).toMatchObject({
      route: "degraded",
      reason: "unsure",
      degradedTo: "answer-flagged",
      value: "pear",
    });
    const { latencyMs } = decision; // the recorded one only expects how long its own flush takes
    expect({ ...(await store.decisions.get(decision.id)), latencyMs }).toEqual(decision);
  });

  test("answer-flagged refuses where there is no guess", async () => {
    const task = fruitTask({ whenTeacherDown: "answer-flagged" });
    const { router } = await openWorld({ task, promoted: false, teacher: createTestTeacher(task, hopelesslyBusy) });
    const { answer, decision } = await ask(router, "pear", 0.6);
    expect(answer).toMatchObject({ kind: "refused", code: "teacher_rate_limited", retryAfterMs: 30_000 });
    expect(decision).toMatchObject({ route: "degraded", degradedTo: "refuse" });
    expect(decision).not.toHaveProperty("value");
  });

  test("refuse says when to come back", async () => {
    const { router } = await down("refuse");
    const { answer } = await ask(router, "pear", 0.6);
    expect(answer).toMatchObject({ kind: "refused", code: "teacher_rate_limited", retryAfterMs: 30_000 });
  });

  test("queue keeps the row, and asks when the teacher is back", async () => {
    const task = fruitTask({ whenTeacherDown: "queue" });
    const teacher = scripted([hopelesslyBusy, async () => ({ value: "pear" })], task);
    const { router, store } = await openWorld({ task, teacher });
    const { answer, decision } = await ask(router, "pear", 0.6);
    expect(answer).toEqual({ kind: "queued" });
    expect(await router.backlog.depth()).toBe(1);
    await router.backlog.round();
    expect(await store.annotations.ofRow(decision.rowId)).toMatchObject([{ value: "pear", pass: 0 }]);
    expect(await router.backlog.depth()).toBe(0);
  });

  test("confident requests do not notice", async () => {
    const { router } = await down("refuse");
    expect((await ask(router, "pear", 0.9)).decision.route).toBe("answered");
  });

  test("what is known already is still answered", async () => {
    const task = fruitTask({ whenTeacherDown: "refuse" });
    const { router } = await openWorld({ task, teacher: scripted([async () => ({}), hopelesslyBusy], task) });
    await ask(router, "pear", 0.6);
    expect((await ask(router, "pear", 0.6)).answer.kind).toBe("teacher");
    expect((await ask(router, "pear", 0.61)).answer.kind).toBe("refused");
  });

  test("nobody waits for it once it has failed repeatedly, until a probe finds it back", async () => {
    const task = fruitTask({ whenTeacherDown: "refuse" });
    const clock = createFakeClock();
    const breaker = createBreaker({ clock, failuresToOpen: 2, pauseMs: 1_000 });
    const teacher = scripted([hopelesslyBusy, hopelesslyBusy, async () => ({})], task);
    const { router } = await openWorld({ task, clock, teacher, breaker });
    for (const nth of [1, 2]) await ask(router, "pear", 0.6, nth);
    expect(router.teacher.isUp).toBe(false);
    expect((await ask(router, "pear", 0.6, 3)).answer).toMatchObject({ kind: "refused", code: "teacher_down" });
    expect(teacher.requests).toHaveLength(2);
    clock.advance(60_000);
    expect((await ask(router, "pear", 0.6, 4)).answer.kind).toBe("teacher");
    expect(router.teacher.isUp).toBe(true);
  });

  test("and there is none at all, the same policy holds", async () => {
    const { router } = await openWorld({ task: fruitTask({ whenTeacherDown: "refuse" }), teacher: undefined });
    expect((await ask(router, "pear", 0.6)).answer).toMatchObject({ kind: "refused", code: "no_teacher" });
  });
});

describe("a teacher that hangs", () => {
  test("and ignores its signal keeps nobody past the deadline", async () => {
    const task = fruitTask({ whenTeacherDown: "answer-flagged" });
    const teacher = createTestTeacher(task, () => new Promise(() => undefined));
    const { router, clock } = await openWorld({ task, teacher, deadlineMs: 5_000 });
    const decided = ask(router, "pear", 0.6);
    await vi.waitFor(() => expect(teacher.requests).toHaveLength(1));
    clock.advance(5_000);
    expect((await decided).decision).toMatchObject({ route: "degraded", degradedTo: "answer-flagged" });
  });

  test("is abandoned after its own timeout, and counts as down after a few", async () => {
    const task = fruitTask({ whenTeacherDown: "refuse" });
    const clock = createFakeClock();
    const breaker = createBreaker({ clock, failuresToOpen: 1 });
    const teacher = createTestTeacher(task, () => new Promise(() => undefined));
    const { router } = await openWorld({ task, clock, teacher, breaker, deadlineMs: 1_000 });
    const decided = ask(router, "pear", 0.6);
    await vi.waitFor(() => expect(teacher.requests).toHaveLength(1));
    clock.advance(task.teacher.timeoutMs);
    expect((await decided).answer.kind).toBe("refused");
    await vi.waitFor(() => expect(router.teacher.isUp).toBe(false));
  });
});

describe("a teacher that stumbles", () => {
  test("is asked again after a pause, and what failed attempts cost is counted", async () => {
    const offSchema = () => failing("teacher_off_schema", { retryable: true, costUsd: 0.0005 });
    const teacher = scripted([offSchema, () => failing("teacher_unavailable", { retryable: true }), async () => ({})]);
    const { router, store, clock } = await openWorld({ teacher });
    const decided = ask(router, "pear", 0.6);
    for (const attempts of [1, 2]) {
      await vi.waitFor(() => expect(teacher.requests).toHaveLength(attempts));
      await vi.waitFor(() => expect(clock.sleepers).toBeGreaterThan(4));
      clock.advance(1_000);
    }
    const { decision } = await decided;
    expect(decision.costUsd).toBeCloseTo(0.0015);
    expect(await store.spend.totals()).toEqual({ spentUsd: 0.0015, reservedUsd: 0, inFlight: 0 });
    const keys = teacher.requests.map(({ idempotencyKey }) => idempotencyKey);
    expect(new Set(keys).size).toBe(2);
    expect(keys[1]).toBe(keys[2]);
  });
});

describe("a request that failed", () => {
  const spentAfter = async (code: string, inDoubt: boolean) => {
    const task = fruitTask({ whenTeacherDown: "refuse" });
    const teacher = createTestTeacher(task, () => failing(code, { inDoubt }));
    const { router, store } = await openWorld({ task, teacher });
    const { decision } = await ask(router, "pear", 0.6);
    return { decision, totals: await store.spend.totals() };
  };

  test("costs nothing where it certainly was not charged", async () => {
    const { decision, totals } = await spentAfter("teacher_unavailable", false);
    expect(totals).toEqual({ spentUsd: 0, reservedUsd: 0, inFlight: 0 });
    expect(decision.costUsd).toBe(0);
  });

  test("counts in full where it may have been, for the budget is a hard stop", async () => {
    const { decision, totals } = await spentAfter("teacher_timeout", true);
    expect(totals).toEqual({ spentUsd: 0.002, reservedUsd: 0, inFlight: 0 });
    expect(decision.costUsd).toBe(0.002);
  });
});

describe("a row that the teacher gives no valid answer for", () => {
  /** Row 0 is the one; as many others as `wrong` share its fate, the rest is answered. */
  const openRefusing = async (code: string, wrong = 0) => {
    const task = fruitTask({ whenTeacherDown: "refuse" });
    const isWrong = ({ input }: TeacherRequest) => input.kind === "text" && Number(input.text.split(" ")[2]) <= wrong;
    const teacher = createTestTeacher(task, async (request) => (isWrong(request) ? failing(code) : {}));
    const events: unknown[] = [];
    const world = await openWorld({
      task,
      teacher,
      events: {
        onTeacherSuspect: (examples) => events.push(examples),
        onTeacherCleared: () => events.push("cleared"),
      },
    });
    return { ...world, events };
  };

  test.each(["teacher_refused", "teacher_bad_request", "teacher_off_schema"])(
    "%s: is declined, not asked again, and recorded as soon as another row is answered",
    async (code) => {
      const { router, store, teacher } = await openRefusing(code);
      const { answer, decision } = await ask(router, "pear", 0.6);
      expect(answer).toMatchObject({ kind: "declined", code });
      expect(decision.route).toBe("escalated");
      expect(decision).not.toHaveProperty("value");
      expect(await store.annotations.ofRow(decision.rowId)).toEqual([]);
      const asked = teacher.requests.length;
      expect((await ask(router, "pear", 0.6)).answer).toMatchObject({ kind: "declined", code });
      expect(teacher.requests).toHaveLength(asked);
      await ask(router, "pear", 0.6, 1);
      expect(await store.annotations.ofRow(decision.rowId)).toMatchObject([{ failure: { code }, pass: 0 }]);
      expect((await ask(router, "pear", 0.6)).answer).toMatchObject({ kind: "declined", code });
      expect(teacher.requests).toHaveLength(asked + 1);
      expect(router.teacher.isUp).toBe(true);
    },
  );

  test("as many in a row as make the teacher suspect open the breaker, and none of them is recorded", async () => {
    const { router, store, clock, teacher, events } = await openRefusing("teacher_bad_request", SUSPECT_ROWS - 1);
    const answers: string[] = [];
    for (let nth = 0; nth < SUSPECT_ROWS; nth++) answers.push((await ask(router, "pear", 0.6, nth)).answer.kind);
    expect(answers).toEqual([...Array(SUSPECT_ROWS - 1).fill("declined"), "refused"]);
    expect(router.teacher.isUp).toBe(false);
    expect(events).toEqual([Array(3).fill("teacher_bad_request happened")]);
    expect((await ask(router, "pear", 0.6, 50)).answer).toMatchObject({ code: "teacher_down" });
    clock.advance(60_000);
    // A probe that ends as they did is no proof of health, and not recorded either.
    expect((await ask(router, "pear", 0.6, 0)).answer).toMatchObject({ code: "teacher_bad_request" });
    expect(router.teacher.isUp).toBe(false);
    clock.advance(120_000);
    expect((await ask(router, "pear", 0.6, 50)).answer.kind).toBe("teacher");
    expect(events.at(-1)).toBe("cleared");
    for await (const { value } of store.annotations.teacher()) expect(value).toBe("apple");
    // The same row, now that others are answered, is refused for what it is.
    const asked = teacher.requests.length;
    expect((await ask(router, "pear", 0.6, 0)).answer.kind).toBe("declined");
    expect(teacher.requests).toHaveLength(asked + 1);
  });

  test("at the head of the queue does not keep the others from their answer", async () => {
    const task = fruitTask({ whenTeacherDown: "queue", teacher: { ...fruitTask().teacher, maxConcurrency: 1 } });
    const isWell = { value: false };
    const teacher = createTestTeacher(task, async ({ input }) => {
      const isFirst = input.kind === "text" && input.text === "pear 0.6 0";
      return isWell.value && !isFirst ? {} : failing("teacher_bad_request");
    });
    const { router, clock } = await openWorld({ task, teacher });
    for (let nth = 0; nth < SUSPECT_ROWS + 2; nth++) await ask(router, "pear", 0.6, nth);
    expect(await router.backlog.depth()).toBe(3);
    isWell.value = true;
    for (let round = 0; round < 4; round++) {
      clock.advance(120_000);
      await router.backlog.round();
    }
    expect(await router.backlog.depth()).toBe(0);
  });
});

describe("the budget", () => {
  test("is a hard stop: what would pass it is not asked, and the task's policy holds", async () => {
    const task = fruitTask({ whenTeacherDown: "refuse", budgetUsd: 0.003 });
    const { router, store, teacher } = await openWorld({ task });
    expect((await ask(router, "pear", 0.6, 1)).answer.kind).toBe("teacher");
    expect((await ask(router, "pear", 0.6, 2)).answer.kind).toBe("teacher");
    expect((await ask(router, "pear", 0.6, 3)).answer).toMatchObject({ kind: "refused", code: "budget_exhausted" });
    expect(teacher.requests).toHaveLength(2);
    expect((await store.spend.totals()).spentUsd).toBe(0.002);
  });

  test("says once that it is spent, and counts the requests that it touches", async () => {
    const task = fruitTask({ whenTeacherDown: "answer-flagged", budgetUsd: 0.003 });
    const spent: unknown[] = [];
    const { router, store } = await openWorld({ task, events: { onBudgetSpent: (state) => spent.push(state) } });
    const reasons: (string | undefined)[] = [];
    for (let nth = 1; nth <= 5; nth++) reasons.push((await ask(router, "pear", 0.6, nth)).decision.degradedFor);
    expect(reasons).toEqual([undefined, undefined, ...Array(3).fill("budget_exhausted")]);
    expect(spent).toEqual([{ budgetUsd: 0.003, remainingUsd: expect.closeTo(0.001, 9), isSpent: true }]);
    expect(await store.decisions.overBudget()).toMatchObject({ requests: 3 });
    expect(await store.spend.totals()).toMatchObject({ neededUsd: 0.002 });
  });

  test("counts what is in flight", async () => {
    const task = fruitTask({ whenTeacherDown: "refuse", budgetUsd: 0.003 });
    const reply = Promise.withResolvers<object>();
    const { router, teacher } = await openWorld({ task, teacher: createTestTeacher(task, () => reply.promise) });
    const first = ask(router, "pear", 0.6, 1);
    await vi.waitFor(() => expect(teacher.requests).toHaveLength(1));
    expect((await ask(router, "pear", 0.6, 2)).answer).toMatchObject({ kind: "refused", code: "budget_exhausted" });
    reply.resolve({});
    expect((await first).answer.kind).toBe("teacher");
  });
});

describe("an audit", () => {
  const everyOne = { audit: { uniformRate: 1, rate: 0 } };

  test("is asked after the answer; row and decision are durable before", async () => {
    const task = fruitTask(everyOne);
    const reply = Promise.withResolvers<Partial<TeacherAnswer>>();
    const { router, store } = await openWorld({ task, teacher: createTestTeacher(task, () => reply.promise) });
    const { answer, decision } = await ask(router, "pear", 0.9);
    expect(answer).toMatchObject({ kind: "student", value: "pear", isFlagged: false });
    expect(decision).toMatchObject({ route: "audited", uniform: true, propensity: 1, value: "pear" });
    expect(await store.rows.get(decision.rowId)).toMatchObject({ uniform: true, propensity: 1 });
    expect(await router.backlog.depth()).toBe(1);
    reply.resolve({ value: "apple" });
    await vi.waitFor(async () => expect(await router.backlog.depth()).toBe(0));
    expect(await store.annotations.ofRow(decision.rowId)).toMatchObject([{ value: "apple" }]);
  });

  test("that died with its process is made up for by the next one, once it is old enough", async () => {
    const task = fruitTask(everyOne);
    const store = await openTestStore();
    const clock = createFakeClock();
    const hanging = createTestTeacher(task, () => new Promise(() => undefined));
    const dying = await openWorld({ task, store, clock, teacher: hanging });
    const { decision } = await ask(dying.router, "pear", 0.9);
    await vi.waitFor(() => expect(hanging.requests).toHaveLength(1));
    const next = await openWorld({ task, store, clock });
    await next.router.backlog.round();
    expect(next.teacher.requests).toHaveLength(0);
    clock.advance(120_000);
    await next.router.backlog.round();
    expect(next.teacher.requests).toHaveLength(1);
    expect(await store.annotations.ofRow(decision.rowId)).toHaveLength(1);
  });

  test("that the teacher cannot take waits for it", async () => {
    const task = fruitTask(everyOne);
    const teacher = scripted([hopelesslyBusy, async () => ({})], task);
    const { router } = await openWorld({ task, teacher });
    await ask(router, "pear", 0.9);
    await vi.waitFor(() => expect(teacher.requests).toHaveLength(1));
    await vi.waitFor(async () => expect(await router.backlog.depth()).toBe(1));
    // A round that begins while the first question is under way joins it.
    await vi.waitFor(async () => {
      await router.backlog.round();
      expect(await router.backlog.depth()).toBe(0);
    });
    expect(teacher.requests).toHaveLength(2);
  });

  test("of a row whose answer is known costs nothing", async () => {
    const task = fruitTask(everyOne);
    const { router, teacher } = await openWorld({ task });
    await ask(router, "pear", 0.9);
    await vi.waitFor(async () => expect(await router.backlog.depth()).toBe(0));
    await ask(router, "pear", 0.9);
    await vi.waitFor(async () => expect(await router.backlog.depth()).toBe(0));
    expect(teacher.requests).toHaveLength(1);
  });

  test("of uniform traffic during an outage is made up for, so that the stream has no gap", async () => {
    const task = fruitTask({ ...everyOne, whenTeacherDown: "answer-flagged" });
    const teacher = scripted([hopelesslyBusy, async () => ({})], task);
    const { router, clock } = await openWorld({ task, teacher });
    expect((await ask(router, "pear", 0.6)).decision).toMatchObject({ route: "degraded", uniform: true });
    expect(await router.backlog.depth()).toBe(1);
    clock.advance(120_000);
    await router.backlog.round();
    expect(await router.backlog.depth()).toBe(0);
  });
});

test("closing waits for the questions under way", async () => {
  const task = fruitTask();
  const reply = Promise.withResolvers<object>();
  const { router, store, teacher } = await openWorld({ task, teacher: createTestTeacher(task, () => reply.promise) });
  const decided = ask(router, "pear", 0.6);
  await vi.waitFor(() => expect(teacher.requests).toHaveLength(1));
  const closed = router.close(new AbortController().signal);
  reply.resolve({});
  expect((await decided).answer.kind).toBe("teacher");
  await closed;
  expect(await store.annotations.ofRow(textInput("pear", 0.6).rowId)).toHaveLength(1);
});
