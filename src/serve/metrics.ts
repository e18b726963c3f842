/**
 * @file Prometheus metrics, of two kinds. What this process did (requests, durations, escalations) is counted here, and
 * summed over replicas. What the store knows (money, backlog, the monitor) is read from it at each scrape: every replica
 * says the same, so take the maximum over them, not the sum.
 */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { budgetState } from "../budget.ts";
import type { Clock } from "../contracts.ts";
import { type RoutedRow, routeOfRow } from "../route/routed.ts";
import type { Router } from "../route/router.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import type { ShedReason } from "./admission.ts";
import { readMonitor } from "./monitor.ts";

export type Metrics = {
  /** One finished request; `row` where it got as far as a decision. */
  observe(request: FinishedRequest): void;
  countShed(reason: ShedReason): void;
  /** The text format, with what the store says now. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>;
};

export type FinishedRequest = {
  readonly status: number;
  readonly durationMs: number;
  /** Without the student and the teacher. */
  readonly overheadMs: number;
  readonly row?: RoutedRow | undefined;
};

export type MetricsOptions = {
  readonly task: AnyTask;
  readonly store: Store;
  readonly router: Pick<Router, "fields" | "backlog">;
  readonly clock: Pick<Clock, "now">;
};

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const task = options.task.name;
  const own = ownMetrics(registry);
  const stored = storedMetrics(registry);
  return {
    observe({ status, durationMs, overheadMs, row }) {
      const route = row ? routeOfRow(row) : "none";
      own.requests.inc({ task, route, model_version: versionOf(row), status });
      own.durations.observe({ task, route }, durationMs / 1_000);
      own.overheads.observe({ task, route }, overheadMs / 1_000);
      for (const [field, { decision }] of row?.fields ?? []) {
        const of = field === "" ? task : `${task}/${field}`;
        if (decision.reason) own.escalations.inc({ task: of, reason: decision.reason });
      }
    },
    countShed: (reason) => own.shed.inc({ task, reason }),
    async expose() {
      await stored.refresh(options);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** Of a row of several fields whose champions have different versions, "mixed". */
function versionOf(row: RoutedRow | undefined): string {
  const versions = [...(row?.fields.values() ?? [])].map(({ championVersion: version }) =>
    version === undefined ? "none" : `v${version}`,
  );
  const [first = "none", ...others] = new Set(versions);
  return others.length === 0 ? first : "mixed";
}

function ownMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: "flywheel_requests_total",
      help: "Requests for decisions, by how they were routed. route=none: never routed; mixed: fields of one request differ. model_version: of the champion.",
      labelNames: ["task", "route", "model_version", "status"],
      registers,
    }),
    durations: new Histogram({
      name: "flywheel_request_duration_seconds",
      help: "From the request's first byte to the answer.",
      labelNames: ["task", "route"],
      buckets: SECONDS,
      registers,
    }),
    overheads: new Histogram({
      name: "flywheel_overhead_seconds",
      help: "The share of the duration that is neither student nor teacher: parsing, decoding, routing, recording.",
      labelNames: ["task", "route"],
      buckets: SECONDS,
      registers,
    }),
    shed: new Counter({
      name: "flywheel_shed_requests_total",
      help: "Requests that were refused with 429. reason=requests: too many under way; key: of one API key; bytes: their bodies.",
      labelNames: ["task", "reason"],
      registers,
    }),
    escalations: new Counter({
      name: "flywheel_escalations_total",
      help: "Requests that the student did not answer, by reason; degraded ones included.",
      labelNames: ["task", "reason"],
      registers,
    }),
  };
}

function storedMetrics(registry: Registry) {
  const registers = [registry];
  const task = ["task"] as const;
  const upper = gauge(
    "flywheel_audit_disagreement_upper",
    "95 % upper bound on the champion's risk, from uniform audits.",
  );
  const target = gauge("flywheel_target_risk", "The risk that the task promises not to exceed.");
  const depth = gauge("flywheel_queue_depth", "Audits and queued requests that wait for the teacher.");
  const budget = gauge("flywheel_budget_remaining_usd", "What the teacher may still cost; absent without a budget.");
  const overBudget = counter(
    "flywheel_budget_exhausted_requests_total",
    "Requests that were degraded because the budget was spent.",
    task,
  );
  const cost = counter("flywheel_cost_usd_total", "Spent on the teacher, labelling included.", ["provider"]);
  const saved = counter(
    "flywheel_saved_usd_total",
    "Answers of the student at the mean cost of a recent escalation.",
    task,
  );

  function gauge(name: string, help: string) {
    return new Gauge({ name, help: `${help} From the store: take max over replicas.`, labelNames: task, registers });
  }
  function counter<L extends string>(name: string, help: string, labelNames: readonly L[]) {
    return new Counter({ name, help: `${help} From the store: take max over replicas.`, labelNames, registers });
  }

  return {
    /** What is read is told in one turn: scrapes at the same time must not add to each other's sums. */
    async refresh(options: MetricsOptions): Promise<void> {
      const { task, router } = options;
      const fields = await Promise.all(router.fields.map((field) => readField(field, options)));
      const waiting = await router.backlog.depth();
      const totals = await options.store.spend.totals();
      for (const stale of [upper, saved, overBudget, cost]) stale.reset();
      for (const { labels, riskUpper, risk, overBudgetRequests, usd } of fields) {
        if (riskUpper !== undefined) upper.set(labels, riskUpper);
        target.set(labels, risk);
        overBudget.inc(labels, overBudgetRequests);
        saved.inc(labels, usd);
      }
      depth.set({ task: task.name }, waiting);
      cost.inc({ provider: providerOf(task) }, totals.spentUsd);
      const state = budgetState(task.budgetUsd, totals);
      if (state) budget.set({ task: task.name }, state.remainingUsd);
    },
  };
}

async function readField({ task, store, students }: Router["fields"][number], { clock }: MetricsOptions) {
  const policy = students.serving.pair?.policy;
  const reading = policy && (await readMonitor(store, policy));
  return {
    labels: { task: task.name },
    riskUpper: reading?.riskUpper,
    risk: policy?.target.risk ?? task.target.risk,
    overBudgetRequests: (await store.decisions.overBudget())?.requests ?? 0,
    usd: await savedUsd(store, clock),
  };
}

function providerOf({ teacher }: AnyTask): string {
  return teacher.model.slice(0, teacher.model.indexOf("/"));
}

const RECENT_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;

/** What the answers of the student alone would have cost; 0 until an escalation of the last day has shown what one costs. */
async function savedUsd({ history }: Store, clock: Pick<Clock, "now">): Promise<number> {
  const dayAgo = Math.floor((clock.now() - RECENT_MS) / HOUR_MS) * HOUR_MS;
  const [whole, recent] = [await history.traffic(), await history.traffic(dayAgo)];
  const escalated = recent.filter(({ route }) => route === "escalated");
  const paid = sumOf(escalated, ({ paid }) => paid);
  const answered = sumOf(
    whole.filter(({ route }) => route === "answered"),
    ({ requests }) => requests,
  );
  return paid === 0 ? 0 : (sumOf(escalated, ({ costUsd }) => costUsd) / paid) * answered;
}

const sumOf = <T>(items: readonly T[], read: (item: T) => number): number =>
  items.reduce((sum, item) => sum + read(item), 0);
