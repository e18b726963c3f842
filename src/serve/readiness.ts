/** @file Whether to send requests here: the store answers, and somebody can decide. */

import { messageOf } from "../errors.ts";
import type { Router } from "../route/router.ts";
import type { Store } from "../store/contract.ts";

export type Readiness = {
  readonly status: "ready" | "not_ready";
  readonly store: "ok" | string;
  /** `champion v3`, or why there is none; of several fields, of each. */
  readonly student: string;
  readonly teacher: "ok" | "down or absent";
  readonly draining: boolean;
};

export async function readiness(store: Store, router: Router, isDraining: boolean): Promise<Readiness> {
  const storeState = await store.policies.champion().then(
    () => "ok",
    (thrown: unknown) => messageOf(thrown),
  );
  const servings = router.fields.map(({ students }) => students.serving);
  const canAnswer = servings.every(({ pair, barrier }) => pair !== undefined && barrier === undefined);
  const canDecide = canAnswer || router.isTeacherUp;
  return {
    status: storeState === "ok" && canDecide && !isDraining ? "ready" : "not_ready",
    store: storeState,
    student: studentState(router),
    teacher: router.isTeacherUp ? "ok" : "down or absent",
    draining: isDraining,
  };
}

function studentState({ fields }: Router): string {
  const states = fields.map(({ name, students }) =>
    name === "" ? stateOf(students) : `${name}: ${stateOf(students)}`,
  );
  return states.join(", ");
}

function stateOf({ serving: { pair, barrier }, trouble }: Router["fields"][number]["students"]): string {
  const champion = pair ? `champion v${pair.champion.version}` : "none";
  const notes = [barrier, trouble && messageOf(trouble)].filter((note) => note !== undefined);
  return notes.length === 0 ? champion : `${champion} (${notes.join("; ")})`;
}
