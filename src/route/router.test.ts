import { describe, expect, test, vi } from "vitest";
import { FlywheelError } from "../errors.ts";
import type { Decision } from "../records.ts";
import { decisionHeaders } from "../serve/headers.ts";
import type { Store } from "../store/contract.ts";
import { splitOf } from "../task.ts";
import {
  createTestStudent,
  createTestTeacher,
  fruitTask,
  openTestStore,
  promote,
  testPolicy,
  textInput,
  textRequest,
  withCommittee,
  withNovelty,
} from "./testing/fixtures.ts";
import { ask, openWorld } from "./testing/world.ts";

/** But for its latency, which can only expect how long its own flush takes. */
async function stored(store: Store, { decision }: { readonly decision: Decision }): Promise<Decision> {
  const recorded = await store.decisions.get(decision.id);
  return { ...recorded!, latencyMs: decision.latencyMs };
}
const everyOneUniform = { audit: { uniformRate: 1, rate: 0 } };

describe("a confident request", () => {
  test("is answered by the student alone, and its decision is durable", async () => {
    const { router, store, teacher } = await openWorld();
    const routed = await ask(router, "pear", 0.9);
    expect(routed.answer).toMatchObject({ kind: "student", value: "pear", isFlagged: false });
    expect(routed.decision).toMatchObject({ route: "answered", value: "pear", threshold: 0.8, costUsd: 0 });
    expect(routed.decision.confidence).toBeCloseTo(0.9, 5);
    expect(await stored(store, routed)).toEqual(routed.decision);
    expect(teacher.requests).toHaveLength(0);
  });

  test("leaves no copy of its payload", async () => {
    const { router, store } = await openWorld();
    await ask(router, "pear", 0.9);
    expect(await store.rows.count()).toBe(0);
  });
});

describe("an unsure request", () => {
  test("is answered by the teacher; row, annotation, cost and decision are durable", async () => {
    const { router, store, task } = await openWorld();
    const routed = await ask(router, "pear", 0.6);
    expect(routed.answer).toEqual({ kind: "teacher", value: "apple", isSimulated: true });
    const { rowId } = routed.decision;
    expect(routed.decision).toMatchObject({
      route: "escalated",
      reason: "unsure",
      value: "apple",
      studentValue: "pear",
    });
    expect(routed.decision).toMatchObject({ propensity: 1, uniform: false, costUsd: 0.001 });
    expect(await stored(store, routed)).toEqual(routed.decision);
    expect(await store.rows.get(rowId)).toMatchObject({
      origin: "traffic",
      uniform: false,
      split: "train",
      propensity: 1,
    });
    const [annotation] = await store.annotations.ofRow(rowId);
    expect(annotation).toMatchObject({ pass: 0, value: "apple", simulated: true, teacher: task.teacher.model });
    expect(await store.spend.totals()).toEqual({ spentUsd: 0.001, reservedUsd: 0, inFlight: 0 });
  });

  test("that was asked before is not paid for again", async () => {
    const { router, teacher } = await openWorld();
    await ask(router, "pear", 0.6);
    const again = await ask(router, "pear", 0.6);
    expect(again).toMatchObject({
      isCached: true,
      answer: { kind: "teacher", value: "apple" },
      decision: { costUsd: 0 },
    });
    expect(teacher.requests).toHaveLength(1);
  });

  test("that several callers ask at once is asked once", async () => {
    const { router, teacher, store } = await openWorld();
    const all = await Promise.all(Array.from({ length: 8 }, () => ask(router, "pear", 0.6)));
    expect(teacher.requests).toHaveLength(1);
    expect(all.map(({ answer }) => answer.kind)).toEqual(Array(8).fill("teacher"));
    expect(all.reduce((sum, { decision }) => sum + decision.costUsd, 0)).toBeCloseTo(0.001);
    expect(await store.decisions.count()).toBe(8);
  });

  test("drawn for the uniform stream is held out, whatever share of ingested rows trains", async () => {
    const task = fruitTask({ ...everyOneUniform, splits: { train: 0.98, calibrate: 0, certify: 0.02 } });
    const { router, store } = await openWorld({ task });
    const { decision } = await ask(router, "pear", 0.6);
    expect(await store.rows.get(decision.rowId)).toMatchObject({ uniform: true, split: "certify", propensity: 1 });
  });

  test("before there is a champion all traffic is the sample: it is split as if it had been ingested", async () => {
    const task = fruitTask();
    const { router, store } = await openWorld({ task, promoted: false });
    for (let index = 0; index < 40; index++) await ask(router, "pear", index / 50);
    const rows = await Array.fromAsync(store.rows.list({ uniform: true }));
    expect(rows).toHaveLength(40);
    for (const { id, split, propensity } of rows) expect([split, propensity]).toEqual([splitOf(id, task.splits), 1]);
  });

  test("whose caller goes away is still recorded, for it was paid for", async () => {
    const reply = Promise.withResolvers<object>();
    const task = fruitTask();
    const { router, store, teacher } = await openWorld({ task, teacher: createTestTeacher(task, () => reply.promise) });
    const caller = new AbortController();
    const input = textInput("pear", 0.6);
    const decided = router.decide({ ...textRequest("pear", 0.6), requestId: "gone", caller });
    await vi.waitFor(() => expect(teacher.requests).toHaveLength(1));
    caller.abort(new Error("caller gone"));
    await expect(decided).rejects.toThrow("caller gone");
    reply.resolve({});
    await vi.waitFor(async () => expect(await store.annotations.ofRow(input.rowId)).toHaveLength(1));
  });
});

describe("a confident request that is unlike the training data", () => {
  const novelty = { limit: 0.5, share: 0.02 };
  const isStrange = (text: string): number => (text.endsWith(" 1") ? 0.75 : 0.25);

  test("is escalated as unfamiliar; what is within the limit is answered", async () => {
    const store = await openTestStore();
    await promote(store, fruitTask(), "m1", { novelty });
    const asked: string[] = [];
    const student = withNovelty(createTestStudent(), (text) => {
      asked.push(text);
      return isStrange(text);
    });
    const { router } = await openWorld({ store, student });
    expect((await ask(router, "pear", 0.9, 0)).decision).toMatchObject({ route: "answered", value: "pear" });
    const strange = await ask(router, "pear", 0.9, 1);
    expect(strange.answer).toMatchObject({ kind: "teacher", value: "apple" });
    expect(strange.decision).toMatchObject({
      route: "escalated",
      reason: "unfamiliar",
      uniform: false,
      threshold: 0.8,
    });
    expect(await stored(store, strange)).toEqual(strange.decision);
    expect((await ask(router, "pear", 0.6, 1)).decision).toMatchObject({ route: "escalated", reason: "unsure" });
    expect(asked).toEqual(["pear 0.9 0", "pear 0.9 1"]); // where the answer is no either way, it is not asked
  });

  test("is answered under a policy without a limit", async () => {
    const { router } = await openWorld({ student: withNovelty(createTestStudent(), isStrange) });
    expect((await ask(router, "pear", 0.9, 1)).decision).toMatchObject({ route: "answered" });
  });

  test("nothing is answered where the policy has a limit and the student cannot say", async () => {
    const store = await openTestStore();
    await promote(store, fruitTask(), "m1", { novelty });
    const { router } = await openWorld({ store });
    expect((await ask(router, "pear", 0.9)).decision).toMatchObject({ route: "escalated", reason: "unfamiliar" });
  });
});

describe("under a committee", () => {
  const committee = { kind: "folds", size: 3 } as const;
  /** Three that agree, at 0.8. */
  const threshold = 3.8 / 4;
  const lastDigit = (text: string): number => Number(text.at(-1));

  test("a dissenter escalates what confidence alone would answer; members are asked only where they may decide", async () => {
    const store = await openTestStore();
    await promote(store, fruitTask(), "m1", { committee, threshold });
    const asked: string[] = [];
    const student = withCommittee(createTestStudent(), 3, (text) => {
      asked.push(text);
      return lastDigit(text);
    });
    const { router } = await openWorld({ store, student });
    const agreed = await ask(router, "pear", 0.9, 0);
    expect(agreed.decision).toMatchObject({ route: "answered", value: "pear", dissent: 0, threshold });
    expect(agreed.decision.confidence).toBeCloseTo(0.9, 5);
    const disputed = await ask(router, "pear", 0.99, 1);
    expect(disputed.decision).toMatchObject({ route: "escalated", reason: "unsure", dissent: 1, uniform: false });
    expect(await stored(store, disputed)).toEqual(disputed.decision);
    const doubtful = await ask(router, "pear", 0.7, 0);
    expect(doubtful.decision).toMatchObject({ route: "escalated", reason: "unsure" });
    expect(doubtful.decision).not.toHaveProperty("dissent");
    expect(asked).toEqual(["pear 0.9 0", "pear 0.99 1"]);
  });

  test("what is unlike the training data is asked about last, and escalated as unfamiliar", async () => {
    const store = await openTestStore();
    await promote(store, fruitTask(), "m1", { committee, threshold, novelty: { limit: 0.5, share: 0.02 } });
    const asked: string[] = [];
    const strange = withNovelty(createTestStudent(), (text) => {
      asked.push(text);
      return 0.75;
    });
    const { router } = await openWorld({ store, student: withCommittee(strange, 3, lastDigit) });
    expect((await ask(router, "pear", 0.9, 1)).decision).toMatchObject({ reason: "unsure", dissent: 1 });
    expect((await ask(router, "pear", 0.9, 0)).decision).toMatchObject({ reason: "unfamiliar", dissent: 0 });
    expect(asked).toEqual(["pear 0.9 0"]);
  });

  test("a policy without one answers by confidence, whoever else is in the student's folder", async () => {
    const { router } = await openWorld({ student: withCommittee(createTestStudent(), 3, () => 3) });
    const { decision } = await ask(router, "pear", 0.9);
    expect(decision).toMatchObject({ route: "answered" });
    expect(decision).not.toHaveProperty("dissent");
  });

  test("of predecessors, they are loaded beside the student; one that is missing is said, and nothing is answered", async () => {
    const store = await openTestStore();
    const [own, other] = [createTestStudent("m2"), createTestStudent("m1")];
    const predecessors = { kind: "predecessors", size: 1, members: [other.modelId] } as const;
    await promote(store, fruitTask(), "m2", { committee: predecessors, threshold: 1.8 / 2 });
    const known = new Map([own, other].map((student) => [student.modelId, student]));
    const loadStudent = async ({ modelId }: { readonly modelId: string }) => {
      const student = [...known].find(([id]) => id === modelId)?.[1];
      if (!student) throw new Error("no such folder");
      return student;
    };
    const { router } = await openWorld({ store, loadStudent });
    expect((await ask(router, "pear", 0.9)).decision).toMatchObject({ route: "answered", dissent: 0 });
    expect(other.calls).toBe(1);
    known.delete(other.modelId);
    const { router: restarted } = await openWorld({ store, loadStudent });
    expect(restarted.trouble).toMatchObject({
      code: "committee_missing",
      message: expect.stringContaining(other.modelId),
    });
    expect(own.isDisposed).toBe(true);
    expect((await ask(restarted, "pear", 0.9)).decision).toMatchObject({
      route: "escalated",
      reason: "student-failed",
    });
  });

  test("a student that has lost its members is not served", async () => {
    const store = await openTestStore();
    await promote(store, fruitTask(), "m1", { committee, threshold });
    const { router } = await openWorld({ store });
    expect(router.trouble).toMatchObject({ code: "committee_missing" });
  });
});

describe("nothing is answered by the student", () => {
  test("before the first champion", async () => {
    const { router } = await openWorld({ promoted: false });
    expect((await ask(router, "pear", 0.99)).decision).toMatchObject({ route: "escalated", reason: "no-champion" });
  });

  test("without a certificate", async () => {
    const task = fruitTask();
    const store = await openTestStore();
    const { certificate: _, threshold: __, ...uncertified } = testPolicy(task, "m1");
    await store.policies.put({ ...uncertified, noCertificate: { reason: "too few rows" } });
    await store.policies.promote({ ...uncertified, policyId: uncertified.id, at: 1, reason: "test" }, 0);
    const { router } = await openWorld({ task, store });
    const { decision } = await ask(router, "pear", 0.99);
    expect(decision).toMatchObject({ route: "escalated", reason: "no-certificate", studentValue: "pear" });
  });

  test("once the policy is voided", async () => {
    const { router, store } = await openWorld();
    expect((await ask(router, "pear", 0.99)).decision.route).toBe("answered");
    await store.policies.void(router.serving.pair!.policy.id, "alarm", 2);
    await router.reload();
    expect((await ask(router, "pear", 0.99, 2)).decision).toMatchObject({ route: "escalated", reason: "voided" });
  });

  test("under another prompt version; the store's policy stays as it is, for other replicas", async () => {
    const store = await openTestStore();
    await promote(store, fruitTask(), "m1", { promptVersion: "older" });
    const { router } = await openWorld({ store });
    expect((await ask(router, "pear", 0.99)).decision).toMatchObject({ route: "escalated", reason: "voided" });
    expect(await store.policies.voided(router.serving.pair!.policy.id)).toBeUndefined();
  });

  test("where it fails", async () => {
    const onStudentFailed = vi.fn();
    const { router } = await openWorld({ events: { onStudentFailed } });
    expect((await ask(router, "broken", 0.99)).decision).toMatchObject({
      route: "escalated",
      reason: "student-failed",
    });
    expect(onStudentFailed).toHaveBeenCalledWith(expect.objectContaining({ message: "broken row" }));
  });

  test("where it cannot read a feature: the caller is told which, of any spelling, in a header", async () => {
    const unreadable = async () => {
      throw new FlywheelError("feature_type_changed", 'row 7: column "größe" holds "long"', { hint: "send a number" });
    };
    const { router } = await openWorld({ student: createTestStudent("m1", unreadable) });
    const routed = await ask(router, "pear", 0.99);
    expect(routed.decision).toMatchObject({ route: "escalated", reason: "student-failed", value: "apple" });
    expect(decisionHeaders(routed, false)["x-flywheel-student-error"]).toBe(
      'feature_type_changed: row 7: column "gr??e" holds "long"',
    );
  });

  test("where the input cannot be read at all; that is no failure of the student", async () => {
    const onStudentFailed = vi.fn();
    const { router, store } = await openWorld({ events: { onStudentFailed } });
    const unreadable = { ...textRequest("broken", 0.99), input: Promise.reject(new Error("no such thing")) };
    await expect(router.decide({ ...unreadable, requestId: "unreadable" })).rejects.toThrow("no such thing");
    expect(onStudentFailed).not.toHaveBeenCalled();
    expect(await store.decisions.count()).toBe(0);
  });

  test("where it does not come back; the teacher still has time to answer", async () => {
    const student = createTestStudent("m1", () => new Promise(() => undefined));
    const { router, clock } = await openWorld({ student, deadlineMs: 1_000 });
    const decided = ask(router, "pear", 0.99);
    await vi.waitFor(() => expect(student.calls).toBe(1));
    clock.advance(250);
    expect((await decided).decision).toMatchObject({ route: "escalated", reason: "student-failed", value: "apple" });
  });
});
