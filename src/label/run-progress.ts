/** @file How a labelling run shows itself: rate, cost so far, time left. */

import type { Clock, Progress } from "../contracts.ts";
import type { AskOutcome } from "./ask-teacher.ts";
import type { LabelRun } from "./label-run.ts";

export type RunProgressOptions = {
  readonly progress?: Progress | undefined;
  readonly clock: Clock;
  readonly run: LabelRun;
  /** That are asked together. */
  readonly passes: readonly number[];
  /** Rows that these passes have to ask, added up; absent while unknown. */
  readonly total: number | undefined;
};

export type RunProgress = { ended(kind: AskOutcome["kind"]): void };

/** Rates are over between this long and half of it. */
const WINDOW_MS = 10_000;
/** Often enough for the eye. */
const UPDATE_MS = 100;

export function createRunProgress({ progress, clock, run, passes, total }: RunProgressOptions): RunProgress {
  const stage = `label, ${passes.length === 1 ? "pass" : "passes"} ${passes.join(" and ")}`;
  let done = 0;
  let updatedAt = 0;
  let [since, next] = [start(clock), start(clock)];
  return {
    ended(kind) {
      if (kind !== "answered" && kind !== "failed") return;
      done++;
      const nowMs = clock.now();
      if (!progress || (nowMs - updatedAt < UPDATE_MS && done !== total)) return;
      updatedAt = nowMs;
      const perSecond = ((done - since.done) * 1000) / Math.max(1, nowMs - since.atMs);
      if (nowMs - next.atMs > WINDOW_MS / 2) [since, next] = [next, { atMs: nowMs, done }];
      const details = describe({
        perSecond,
        costUsd: run.tally.costUsd,
        left: total === undefined ? undefined : total - done,
      });
      progress({ stage, done, ...(total !== undefined && { total }), details });
    },
  };
}

const start = (clock: Clock) => ({ atMs: clock.now(), done: 0 });

type Course = { readonly perSecond: number; readonly costUsd: number; readonly left: number | undefined };

function describe({ perSecond, costUsd, left }: Course): Readonly<Record<string, string>> {
  return {
    rate: `${perSecond.toFixed(1)}/s`,
    cost: `$${costUsd.toFixed(costUsd < 1 ? 4 : 2)}`,
    ...(left !== undefined && perSecond > 0 && { left: duration(left / perSecond) }),
  };
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
