import { describe, expect, test } from "vitest";
import type { PolicyId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Routed } from "./routed.ts";
import { createRouter } from "./router.ts";
import { createFakeClock } from "./testing/fake-clock.ts";
import {
  atOnce,
  calibrateBySoftmax,
  createTestStudent,
  createTestTeacher,
  fruitTask,
  loadText,
  openTestStore,
  promote,
  type TestStudent,
  testPolicy,
  textRequest,
  withCommittee,
  withNovelty,
} from "./testing/fixtures.ts";
import { ask, openWorld } from "./testing/world.ts";

const novelty = (text: string): number => (text.endsWith(" 1") ? 0.75 : 0.25);
const dissent = (text: string): number => Number(text.at(-1) === "2");

const rule = {
  committee: { kind: "folds", size: 3 },
  threshold: 0.95,
  novelty: { limit: 0.5, share: 0.02 },
} as const;

/** What a caller and the store are told; times aside. */
const told = ({ decision, answer, championVersion }: Routed) => ({
  answer,
  championVersion,
  decision: { ...decision, latencyMs: 0 },
});

async function routedBy(student: TestStudent) {
  const store = await openTestStore();
  await promote(store, fruitTask(), "m1", rule);
  const { router } = await openWorld({ store, student, task: fruitTask({ audit: { uniformRate: 0.3, rate: 0.3 } }) });
  const routed: ReturnType<typeof told>[] = [];
  for (const label of ["pear", "apple", "broken"]) {
    for (const confidence of [0.6, 0.9, 0.99]) {
      for (const nth of [0, 1, 2, 3]) {
        const request = { ...textRequest(label, confidence, nth), requestId: `${label}/${confidence}/${nth}` };
        routed.push(told(await router.decide(request)));
      }
    }
  }
  return routed;
}

describe("a student that needs no time", () => {
  test("is routed as one that does: answers, escalations, audits, failures", async () => {
    const slow = withCommittee(withNovelty(createTestStudent(), novelty), 3, dissent);
    const quick = withCommittee(withNovelty(createTestStudent(), novelty), 3, dissent);
    const [one, other] = [await routedBy(slow), await routedBy(atOnce(quick, { novelty, dissent }))];
    expect(other).toEqual(one);
    expect(quick.calls).toBe(0);
    const routes = new Set(one.map(({ decision }) => decision.reason ?? decision.route));
    expect(routes).toEqual(new Set(["answered", "audited", "unsure", "unfamiliar", "student-failed"]));
  });

  test.each([
    ["at once", atOnce(createTestStudent())],
    ["in its time", createTestStudent()],
  ])("heard %s: the latency that is told includes the write", async (_, student) => {
    const store = await openTestStore();
    await promote(store, fruitTask());
    let nowMs = 0;
    const slow: Store = {
      ...store,
      field: () => slow,
      decisions: {
        ...store.decisions,
        async put(decisions, withinMs) {
          await store.decisions.put(decisions, withinMs);
          nowMs += 40;
        },
      },
    };
    const { router } = await openWorld({ store: slow, student, promoted: false, stopwatch: () => nowMs });
    const { decision } = await ask(router, "pear", 0.99);
    expect(decision).toMatchObject({ route: "answered", latencyMs: 40 });
  });

  test("leaves no timer behind where it answers alone", async () => {
    const clock = createFakeClock();
    const sleeps = new Set<number>();
    const counting = {
      now: () => clock.now(),
      sleep: (ms: number, signal?: AbortSignal) => {
        sleeps.add(ms);
        return clock.sleep(ms, signal);
      },
    };
    const { router } = await openWorld({
      student: atOnce(createTestStudent()),
      clock: { ...clock, ...counting },
      deadlineMs: 20_000,
    });
    expect((await ask(router, "pear", 0.9)).decision.route).toBe("answered");
    expect(sleeps.isDisjointFrom(new Set([20_000, 5_000]))).toBe(true); // the deadline, and the student's share of it
  });

  test("a promotion under load never mixes the champions: model, policy and version of a decision are of one", async () => {
    const [store, task] = [await openTestStore(), fruitTask()];
    await promote(store, task, "m1");
    const router = await createRouter({
      task,
      store,
      teacher: createTestTeacher(task),
      loadStudent: async ({ modelId }) => atOnce({ ...createTestStudent(), modelId }),
      calibrate: calibrateBySoftmax,
      loadTeacherInput: loadText,
      clock: createFakeClock(),
      seed: 1,
    });
    const policies = new Map<PolicyId | undefined, string>();
    const seen = new Set<string>();
    const caller = async (name: number): Promise<void> => {
      for (let nth = 0; nth < 30; nth++) {
        const { decision, championVersion } = await router.decide({
          ...textRequest("pear", 0.9, nth),
          requestId: `${name}/${nth}`,
        });
        expect(policies.get(decision.policyId)).toBe(`${decision.modelId} ${championVersion}`);
        seen.add(`${championVersion}`);
      }
    };
    for (const [index, model] of ["m1", "m2", "m3"].entries()) {
      const { id, modelId } = testPolicy(task, model);
      policies.set(id, `${modelId} ${index + 1}`);
    }
    const promoting = async (): Promise<void> => {
      for (const model of ["m2", "m3"]) {
        await promote(store, task, model);
        await router.reload();
      }
    };
    await Promise.all([...Array.from({ length: 8 }, (_, name) => caller(name)), promoting()]);
    expect(seen.has("3")).toBe(true);
    expect(await store.decisions.count({ route: "answered" })).toBe(240);
    await router.close(AbortSignal.abort());
  });
});
