/** @file Where the wheel stands, and which command turns it further. Reads the store, changes nothing. */

import { budgetState } from "../budget.ts";
import { newestModel } from "../improve/newest-model.ts";
import { requestsOf } from "../improve/requests-of.ts";
import { warningsIn } from "../one-answer.ts";
import type { Champion, ModelCard, Policy, Round, Split } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { type AnyTask, promptVersion, type Task } from "../task.ts";
import { promiseProblem } from "./check-config.ts";

export type Status = {
  readonly task: string;
  /** What the target does not ask for: that one answer would meet it. */
  readonly warnings: readonly string[];
  readonly rows: { readonly ingested: number; readonly traffic: number; readonly rejected: number };
  readonly labels: { readonly total: number } & { readonly [S in Split]: number };
  /** Rows that still wait for a teacher's first pass. */
  readonly hasUnlabelled: boolean;
  readonly spend: SpendStatus;
  readonly models: number;
  readonly champion: ChampionStatus | undefined;
  /** The newest model, where it is not the champion. */
  readonly challenger: ModelCard | undefined;
  readonly decisions: { readonly total: number; readonly escalated: number; readonly sinceLastRound: number };
  readonly lastRound: Round | undefined;
  /** Rows that people reviewed since the newest model was trained: the next one is the first to learn from them. */
  readonly newReviews: number;
  /** The command to run next, and why. */
  readonly next: { readonly command: string; readonly why: string };
};

export type SpendStatus = {
  readonly spentUsd: number;
  readonly reservedUsd: number;
  readonly budgetUsd: number | undefined;
  /** Whether it still allows questions. */
  readonly isBudgetSpent: boolean;
  /** Requests that were degraded because it did not, and their share of all. */
  readonly overBudget: { readonly requests: number; readonly share: number };
};

export type ChampionStatus = {
  readonly champion: Champion;
  readonly card: ModelCard;
  readonly policy: Policy;
  /** Why its certificate no longer holds, where it does not. */
  readonly voided: string | undefined;
  /** What the task now asks otherwise than the champion was certified for. */
  readonly promiseChanged: string | undefined;
};

export async function readStatus(store: Store, task: Task): Promise<Status> {
  const models = await store.models.list();
  const newest = await newestModel(store);
  const champion = await readChampion(store, task);
  const lastRound = (await store.rounds.list()).at(-1);
  const decisions = await countDecisions(store, lastRound);
  const status = {
    task: task.name,
    warnings: await warningsIn({ name: "", store, task }),
    rows: await countRows(store),
    labels: await countLabels(store),
    hasUnlabelled: await hasUnlabelled(store, task),
    spend: await readSpend(store, task, decisions.total),
    models: models.length,
    champion,
    challenger: newest?.id === champion?.champion.modelId ? undefined : newest,
    decisions,
    newReviews: await countNewReviews(store, newest),
    lastRound,
  };
  return { ...status, next: nextCommand(status) };
}

/** The serving pair with everything that is known of it; undefined where nothing serves yet. */
export async function readChampion(store: Store, task: Task): Promise<ChampionStatus | undefined> {
  const champion = await store.policies.champion();
  if (!champion) return undefined;
  const [card, policy, voided] = await Promise.all([
    store.models.get(champion.modelId),
    store.policies.get(champion.policyId),
    store.policies.voided(champion.policyId),
  ]);
  if (!card || !policy) return undefined;
  const promptChanged = policy.promptVersion !== promptVersion(task);
  return {
    champion,
    card,
    policy,
    voided: voided?.why ?? (promptChanged ? "the question changed" : undefined),
    promiseChanged: promiseProblem(policy, task),
  };
}

async function countDecisions({ history }: Store, lastRound: Round | undefined): Promise<Status["decisions"]> {
  const whole = await history.traffic();
  return {
    total: requestsOf(whole),
    escalated: requestsOf(whole.filter(({ route }) => route === "escalated")),
    sinceLastRound: requestsOf(await history.traffic(lastRound?.endedAt)),
  };
}

async function countNewReviews(store: Store, newest: ModelCard | undefined): Promise<number> {
  const rows = new Set<string>();
  for await (const { at, rowId } of store.annotations.people()) if (at > (newest?.createdAt ?? 0)) rows.add(rowId);
  return rows.size;
}

async function countRows(store: Store): Promise<Status["rows"]> {
  return {
    ingested: await store.rows.count({ origin: "ingest" }),
    traffic: await store.rows.count({ origin: "traffic" }),
    rejected: (await store.rows.rejections()).length,
  };
}

async function countLabels(store: Store): Promise<Status["labels"]> {
  const counts = await store.labels.countBySplit();
  return { total: counts.train + counts.calibrate + counts.certify, ...counts };
}

async function hasUnlabelled(store: Store, task: Task): Promise<boolean> {
  const query = { pass: 1, promptVersion: promptVersion(task), limit: 1, origin: "ingest" } as const;
  return (await store.annotations.missingPass(query)).length > 0;
}

export async function readSpend(
  store: Store,
  { budgetUsd }: Pick<AnyTask, "budgetUsd">,
  decisions: number,
): Promise<SpendStatus> {
  const totals = await store.spend.totals();
  const { spentUsd, reservedUsd } = totals;
  const requests = (await store.decisions.overBudget())?.requests ?? 0;
  const overBudget = { requests, share: decisions === 0 ? 0 : requests / decisions };
  return {
    spentUsd,
    reservedUsd,
    budgetUsd,
    isBudgetSpent: budgetState(budgetUsd, totals)?.isSpent === true,
    overBudget,
  };
}

function nextCommand(status: Omit<Status, "next">): Status["next"] {
  const { champion, decisions, spend } = status;
  if (spend.isBudgetSpent && (status.hasUnlabelled || spend.overBudget.requests > 0)) return raiseBudget(spend);
  if (status.rows.ingested === 0) return { command: "flywheel ingest PATH", why: "there are no rows yet" };
  // Rows of a log whose answers cannot be read, say, hold nobody back.
  const mayServe = champion !== undefined && !champion.voided;
  if (mayServe && decisions.total === 0)
    return { command: "flywheel serve", why: "the champion is certified and waits for traffic" };
  if (status.hasUnlabelled)
    return { command: "flywheel label", why: "rows wait for the teacher; `flywheel plan` shows the cost" };
  if (status.models === 0) return { command: "flywheel train", why: "there is no student yet" };
  if (!champion)
    return {
      command: "flywheel review export review.csv",
      why: "nothing is certified yet: `flywheel report` says what is missing",
    };
  if (champion.voided) return afterVoid(champion.voided, status);
  const changed = champion.promiseChanged;
  if (changed)
    return { command: "flywheel improve --force", why: `the champion was certified for another promise: ${changed}` };
  if (status.newReviews > 0)
    return {
      command: "flywheel improve",
      why: `${status.newReviews} rows were reviewed since the newest model was trained`,
    };
  return { command: "flywheel improve", why: "traffic may have brought new labels" };
}

function raiseBudget({ spentUsd, budgetUsd }: SpendStatus): Status["next"] {
  return {
    command: "raise budgetUsd in the task's config, and restart what serves",
    why: `the budget is spent ($${spentUsd.toFixed(2)} of $${budgetUsd?.toFixed(2)}): no question reaches the teacher`,
  };
}

/** A round that could not certify can only do better once more requests were labelled: until then another would say the same. */
export function afterVoid(
  voided: string,
  { decisions, lastRound }: Pick<Status, "decisions" | "lastRound">,
): Status["next"] {
  if (!lastRound || lastRound.promoted || decisions.sinceLastRound > 0)
    return { command: "flywheel improve", why: `the certificate is void: ${voided}` };
  return {
    command: "flywheel serve",
    why: `the certificate is void, and round ${lastRound.round} found too little for another: every request is labelled meanwhile, and a part of them certifies; then \`flywheel improve\``,
  };
}
