import { describe, expect, test, vi } from "vitest";
import type { Champion } from "../records.ts";
import { createFakeClock } from "./testing/fake-clock.ts";
import { createTestStudent, fruitTask, openTestStore, promote, type TestStudent } from "./testing/fixtures.ts";
import { hashOf } from "./testing/names.ts";
import { ask, openWorld } from "./testing/world.ts";

/** A student a model; the first waits for `gate` in every prediction. */
function studentsByModel(gate: Promise<void>) {
  const students = new Map<string, TestStudent>([
    [hashOf("m1"), createTestStudent("m1", () => gate)],
    [hashOf("m2"), createTestStudent("m2")],
  ]);
  return {
    loadStudent: async ({ modelId }: Champion) => students.get(modelId)!,
    of: (model: string) => students.get(hashOf(model))!,
  };
}

describe("a promotion while requests are under way", () => {
  test("drops none: they finish with the old student, new ones begin with the new", async () => {
    const gate = Promise.withResolvers<void>();
    const students = studentsByModel(gate.promise);
    const task = fruitTask();
    const { router, store, clock } = await openWorld({ task, loadStudent: students.loadStudent });
    const early = Array.from({ length: 20 }, (_, nth) => ask(router, "pear", 0.9, nth));
    await vi.waitFor(() => expect(students.of("m1").calls).toBe(20));
    await promote(store, task, "m2");
    clock.advance(1_000);
    await vi.waitFor(() => expect(router.serving.pair?.champion.version).toBe(2));
    const late = await ask(router, "pear", 0.9, 100);
    expect(late).toMatchObject({ championVersion: 2, decision: { modelId: hashOf("m2") } });
    expect(students.of("m1").isDisposed).toBe(false);
    gate.resolve();
    const finished = await Promise.all(early);
    expect(finished.map(({ decision }) => [decision.route, decision.modelId])).toEqual(
      Array(20).fill(["answered", hashOf("m1")]),
    );
    await vi.waitFor(() => expect(students.of("m1").isDisposed).toBe(true));
    expect(students.of("m2").isDisposed).toBe(false);
  });

  test("a challenger that cannot be loaded changes nothing but the trouble", async () => {
    const onServingTrouble = vi.fn();
    const task = fruitTask();
    const loadStudent = async ({ version }: Champion) => {
      if (version === 2) throw new Error("damaged file");
      return createTestStudent(version === 1 ? "m1" : "m3");
    };
    const { router, store } = await openWorld({ task, loadStudent, events: { onServingTrouble } });
    await promote(store, task, "m2");
    await router.reload();
    expect(router.trouble).toMatchObject({ message: "damaged file" });
    expect(onServingTrouble).toHaveBeenCalledOnce();
    expect((await ask(router, "pear", 0.9)).decision).toMatchObject({ route: "answered", modelId: hashOf("m1") });
    await promote(store, task, "m3");
    await router.reload();
    expect(router.trouble).toBeUndefined();
    expect((await ask(router, "pear", 0.9)).championVersion).toBe(3);
  });
});

test("a champion that cannot be loaded at the start escalates everything, and is tried again", async () => {
  let isMended = false;
  const loadStudent = async () => (isMended ? createTestStudent() : Promise.reject(new Error("no such file")));
  const { router } = await openWorld({ loadStudent });
  expect((await ask(router, "pear", 0.9)).decision).toMatchObject({ route: "escalated", reason: "student-failed" });
  isMended = true;
  await router.reload();
  expect((await ask(router, "pear", 0.9, 1)).decision.route).toBe("answered");
});

test("a student whose classes are not its policy's is not served", async () => {
  const task = fruitTask();
  const store = await openTestStore();
  await promote(store, task, "m1", { classes: ["pear", "apple"] });
  const student = createTestStudent();
  const { router } = await openWorld({ task, store, student });
  expect(router.trouble).toMatchObject({ code: "student_mismatch" });
  expect(student.isDisposed).toBe(true);
});

test("two routers over one store follow the same promotion and the same void", async () => {
  const task = fruitTask();
  const store = await openTestStore();
  const clock = createFakeClock();
  const worlds = [await openWorld({ task, store, clock }), await openWorld({ task, store, clock })];
  await promote(store, task, "m2");
  clock.advance(1_000);
  for (const { router } of worlds) await vi.waitFor(() => expect(router.serving.pair?.champion.version).toBe(2));
  await store.policies.void(worlds[0]!.router.serving.pair!.policy.id, "alarm", 1);
  clock.advance(1_000);
  for (const { router } of worlds) await vi.waitFor(() => expect(router.serving.barrier).toBe("voided"));
});

test("closing disposes of the student", async () => {
  const { router, student } = await openWorld();
  await router.close(new AbortController().signal);
  expect(student.isDisposed).toBe(true);
});
