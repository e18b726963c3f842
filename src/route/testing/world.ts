/** @file A router over a real store, a clock that stands still, and a teacher that does as it is told. */

import { onTestFinished } from "vitest";
import type { Store } from "../../store/contract.ts";
import type { Task } from "../../task.ts";
import type { Routed } from "../routed.ts";
import { createRouter, type Router, type RouterOptions } from "../router.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import {
  calibrateBySoftmax,
  createTestStudent,
  createTestTeacher,
  fruitTask,
  loadText,
  openTestStore,
  promote,
  type TestStudent,
  type TestTeacher,
  textRequest,
} from "./fixtures.ts";

export type World = {
  readonly task: Task;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly teacher: TestTeacher;
  readonly student: TestStudent;
  readonly router: Router;
};

export type WorldOptions = Omit<Partial<RouterOptions>, "clock" | "teacher" | "task"> & {
  readonly task?: Task;
  readonly clock?: FakeClock;
  /** Given as undefined: there is none. */
  readonly teacher?: TestTeacher | undefined;
  readonly student?: TestStudent;
  /** False: the store is left as it is. */
  readonly promoted?: boolean;
};

/** Over a fresh store, or the one given; its champion answers from 0.8 on. */
export async function openWorld(changes: WorldOptions = {}): Promise<World> {
  const { task = fruitTask(), clock = createFakeClock(), student = createTestStudent(), promoted = true } = changes;
  const { store = await openTestStore() } = changes;
  const teacher = changes.teacher ?? createTestTeacher(task);
  if (promoted && !(await store.policies.champion())) await promote(store, task);
  const router = await createRouter({
    loadStudent: async () => student,
    calibrate: calibrateBySoftmax,
    loadTeacherInput: loadText,
    seed: 1,
    ...changes,
    task,
    store,
    clock,
    teacher: "teacher" in changes ? changes.teacher : teacher,
  });
  onTestFinished(() => router.close(AbortSignal.abort()));
  return { task, store, clock, teacher, student, router };
}

let requests = 0;

/** A request of its own id; `textRequest` says what the student makes of it. */
export function ask(router: Router, label: string, confidence: number, nth = 0): Promise<Routed> {
  requests += 1;
  return router.decide({ ...textRequest(label, confidence, nth), requestId: `request ${requests}` });
}
