/**
 * @file Whether to send requests here: the store takes a write, and somebody can decide. Told to whoever asks, without a key:
 * so it says what is wrong and never where in this machine, and asking it often costs the store nothing.
 */

import { budgetState } from "../budget.ts";
import { FlywheelError } from "../errors.ts";
import type { Router } from "../route/router.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { publicMessage } from "./request-error.ts";

export type Readiness = {
  readonly status: "ready" | "not_ready";
  /** `ok`: it took a write a moment ago. */
  readonly store: "ok" | string;
  /** `champion v3`, or why there is none; of several fields, of each. */
  readonly student: string;
  /** As of its last exchange with this server. */
  readonly teacher: "ok" | "down" | "absent" | "not asked yet";
  /** When that was: ISO 8601; null before the first. */
  readonly teacherLastKnown: string | null;
  /** `spent`: nobody asks the teacher until it is raised. */
  readonly budget: "no limit" | "ok" | "spent";
  readonly draining: boolean;
};

/** How long an answer of the store stands for the next. */
const PROBE_EVERY_MS = 1_000;
/** A store that takes longer for a write than this takes none. */
const PROBE_TIMEOUT_MS = 1_000;

export type ReadinessOptions = {
  readonly task: AnyTask;
  readonly store: Pick<Store, "probe" | "spend">;
  readonly router: Pick<Router, "fields" | "teacher">;
  readonly isDraining: () => boolean;
};

export function createReadiness({ task, store, router, isDraining }: ReadinessOptions): () => Promise<Readiness> {
  const probe = createProbe(store);
  return async () => {
    const storeState = await probe();
    const servings = router.fields.map(({ students }) => students.serving);
    const canAnswer = servings.every(({ pair, barrier }) => pair !== undefined && barrier === undefined);
    const canDecide = canAnswer || router.teacher.isUp;
    return {
      status: storeState === "ok" && canDecide && !isDraining() ? "ready" : "not_ready",
      store: storeState,
      student: studentState(router),
      ...teacherState(router),
      budget: await budgetLine(store, task),
      draining: isDraining(),
    };
  };
}

/** One write at a time, and none sooner than a second after the last: however many ask. */
function createProbe(store: Pick<Store, "probe">): () => Promise<string> {
  let running: Promise<void> | undefined;
  let state: Promise<string> | undefined;
  let askedMs = 0;
  return () => {
    if (state && performance.now() - askedMs < PROBE_EVERY_MS) return state;
    askedMs = performance.now();
    // A write that still waits for a locked store is not joined by a second one.
    running ??= store.probe().finally(() => {
      running = undefined;
    });
    state = outcomeOf(running);
    return state;
  };
}

async function outcomeOf(writing: Promise<void>): Promise<string> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve("takes no write: busy or locked"), PROBE_TIMEOUT_MS);
  const written = writing.then(
    () => "ok",
    (thrown: unknown) => (FlywheelError.isInstance(thrown) ? publicMessage(thrown) : "takes no write"),
  );
  try {
    return await Promise.race([written, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A store that does not answer is said elsewhere. */
async function budgetLine({ spend }: Pick<Store, "spend">, { budgetUsd }: AnyTask): Promise<Readiness["budget"]> {
  if (budgetUsd === undefined) return "no limit";
  const totals = await spend.totals().catch(() => undefined);
  return totals && budgetState(budgetUsd, totals)?.isSpent ? "spent" : "ok";
}

function teacherState({ teacher }: Pick<Router, "teacher">): Pick<Readiness, "teacher" | "teacherLastKnown"> {
  const { isPresent, isUp, lastExchange } = teacher;
  const teacherLastKnown = lastExchange ? new Date(lastExchange.at).toISOString() : null;
  if (!isPresent) return { teacher: "absent", teacherLastKnown };
  if (!lastExchange) return { teacher: "not asked yet", teacherLastKnown };
  return { teacher: isUp && lastExchange.isWell ? "ok" : "down", teacherLastKnown };
}

function studentState({ fields }: Pick<Router, "fields">): string {
  const states = fields.map(({ name, students }) =>
    name === "" ? stateOf(students) : `${name}: ${stateOf(students)}`,
  );
  return states.join(", ");
}

/** Of an error its code: the message names the model's files, and is in the log. */
function stateOf({ serving: { pair, barrier }, trouble }: Router["fields"][number]["students"]): string {
  const champion = pair ? `champion v${pair.champion.version}` : "none";
  const code = trouble && (FlywheelError.isInstance(trouble) ? trouble.code : "cannot be followed; the log says why");
  const notes = [barrier, code].filter((note) => note !== undefined);
  return notes.length === 0 ? champion : `${champion} (${notes.join("; ")})`;
}
