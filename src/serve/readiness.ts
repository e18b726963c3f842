/** @file Whether to send requests here: the store answers, and somebody can decide. */

import { budgetState } from "../budget.ts";
import { messageOf } from "../errors.ts";
import type { Router } from "../route/router.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";

export type Readiness = {
  readonly status: "ready" | "not_ready";
  readonly store: "ok" | string;
  /** `champion v3`, or why there is none; of several fields, of each. */
  readonly student: string;
  readonly teacher: "ok" | "down or absent";
  /** `spent`: nobody asks the teacher until it is raised. */
  readonly budget: "no limit" | "ok" | "spent";
  readonly draining: boolean;
};

export async function readiness(
  { store, router, task }: { readonly store: Store; readonly router: Router; readonly task: AnyTask },
  isDraining: boolean,
): Promise<Readiness> {
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
    budget: await budgetLine(store, task),
    draining: isDraining,
  };
}

/** A store that does not answer is said elsewhere. */
async function budgetLine(store: Store, { budgetUsd }: AnyTask): Promise<Readiness["budget"]> {
  if (budgetUsd === undefined) return "no limit";
  const totals = await store.spend.totals().catch(() => undefined);
  return totals && budgetState(budgetUsd, totals)?.isSpent ? "spent" : "ok";
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
