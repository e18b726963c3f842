/**
 * @file One turn of the wheel: what traffic and people taught becomes labels, a challenger is trained, calibrated and
 * certified, compared with the champion on rows that neither has seen, and promoted, or not, with the reason.
 */

import { calibrateModel } from "../calibrate/calibrate-model.ts";
import { offeredCommittee } from "../calibrate/offered-committee.ts";
import type { Clock, Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { deriveLabels } from "../label/derive-labels.ts";
import type { Seed } from "../math/random.ts";
import type { CandidateResult, Champion, Committee, Estimate, ModelCard, ModelId, Policy, Round } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { readModelFolder } from "../train/load-student.ts";
import { predictHeldOut } from "../train/predict-held-out.ts";
import { trainChosenStudent } from "./choose-student.ts";
import { type Comparison, compareModels } from "./compare.ts";
import { type Candidate, judgeOnHoldout } from "./holdout.ts";
import { promote } from "./promotion.ts";
import { roundTask } from "./round-task.ts";
import { shareOf, trafficSince } from "./round-traffic.ts";
import { roundTrigger } from "./trigger.ts";

export type RoundOptions = {
  readonly store: Store;
  readonly task: Task;
  readonly seed: Seed;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
};

/** A trained, calibrated and, where possible, certified model that serves nobody yet. */
export type Challenger = {
  readonly card: ModelCard;
  readonly policy: Policy;
  /** Where the task left the choice of the student to us. */
  readonly candidates?: readonly CandidateResult[];
};

export type FinishedRound = {
  readonly kind: "done";
  readonly round: Round;
  readonly challenger: Challenger;
  readonly comparison?: Comparison;
};

export type RoundOutcome =
  | { readonly kind: "not-due"; readonly newLabels: number; readonly needed: number }
  | FinishedRound;

/** Fit, calibrate, certify. The same labels, options and seed give the model and the policy that are there already. */
export async function trainChallenger(options: RoundOptions): Promise<Challenger> {
  const { store } = options;
  await deriveLabels(options);
  const champion = await store.policies.champion();
  const task = roundTask(options.task, champion && store.models.folder(champion.modelId));
  const chosen = await trainChosenStudent({ ...options, task });
  const offered = await offeredCommittee({ ...options, card: chosen.card });
  await checkPredecessors(offered?.committee, options);
  await hearPredecessors(offered?.committee, options);
  const policy = await calibrateModel({ ...options, modelId: chosen.card.id });
  return { ...chosen, policy };
}

/**
 * What predecessors say of held-out rows that came after them: without it, they could not be heard there.
 * @throws FlywheelError `committee_missing`
 */
async function hearPredecessors(committee: Committee | undefined, options: RoundOptions): Promise<void> {
  if (committee?.kind !== "predecessors") return;
  const { store } = options;
  for (const id of committee.members) {
    const card = await store.models.get(id);
    const folder = store.models.folder(id);
    await unlessMissing(id, async () => card && (await predictHeldOut({ ...options, card, folder })));
  }
}

/** Before a policy is bound to them. @throws FlywheelError `committee_missing`, `model_corrupt` */
async function checkPredecessors(committee: Committee | undefined, { store }: RoundOptions): Promise<void> {
  if (committee?.kind !== "predecessors") return;
  for (const id of committee.members) await unlessMissing(id, () => readModelFolder(store.models.folder(id)));
}

async function unlessMissing(id: ModelId, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!FlywheelError.isInstance(cause) || cause.code !== "model_missing") throw cause;
    const why = `champion ${id} is to be heard in a committee, but its folder is gone: ${cause.message}`;
    throw new FlywheelError("committee_missing", why, {
      hint: 'put the folder back from a backup; or roll back, and set student.committee to "none"',
      cause,
    });
  }
}

/**
 * One round, if it is due (`roundTrigger`) or forced. Running it twice changes nothing the second time.
 * @throws FlywheelError what training and certifying throw
 */
export async function runRound(options: RoundOptions & { readonly force?: boolean }): Promise<RoundOutcome> {
  const { store, clock } = options;
  using _claim = store.claim("train");
  await deriveLabels(options);
  const champion = await servingCandidate(store);
  const trigger = roundTrigger({
    labels: await store.labels.count({ split: "train" }),
    championLabels: champion?.card.trainingRows ?? 0,
    alarmed: champion?.isVoid ?? false,
    forced: options.force ?? false,
  });
  if (trigger.kind === "not-due") return trigger;
  const startedAt = clock.now();
  const challenger = await trainChallenger(options);
  return await finishRound({ ...options, champion, challenger, startedAt });
}

type Contest = RoundOptions & {
  readonly champion: ServingCandidate | undefined;
  readonly challenger: Challenger;
  readonly startedAt: number;
};

/** Compares, promotes or not, and writes the round down. */
export async function finishRound(contest: Contest): Promise<FinishedRound> {
  const { store, clock, champion, challenger } = contest;
  const verdict = await judge(contest);
  const reason = verdict.why;
  const next = { modelId: challenger.card.id, policyId: challenger.policy.id, at: clock.now(), reason };
  const promoted = verdict.promote && (await promote(store, next, champion?.champion));
  const lost = verdict.promote && !promoted;
  const round: Round = {
    ...(await sinceLastRound(store)),
    startedAt: contest.startedAt,
    endedAt: clock.now(),
    labels: challenger.card.trainingRows,
    challenger: challenger.card.id,
    ...(champion && { champion: champion.card.id }),
    promoted,
    why: lost ? "not promoted: another process promoted a model first" : reason,
    accuracy: verdict.accuracy,
    coverage: verdict.coverage,
    ...(challenger.candidates && { candidates: challenger.candidates }),
  };
  await store.rounds.put(round);
  return { kind: "done", round, challenger, ...(verdict.comparison && { comparison: verdict.comparison }) };
}

type RoundVerdict = {
  readonly promote: boolean;
  readonly why: string;
  readonly accuracy: Estimate;
  readonly coverage: Estimate;
  readonly comparison?: Comparison;
};

async function judge(contest: Contest): Promise<RoundVerdict> {
  const { champion, challenger, store } = contest;
  const candidate: Candidate = { ...challenger, isVoid: false };
  if (!champion || champion.isVoid) return await judgeAlone(candidate, contest);
  if (champion.card.id === challenger.card.id && champion.policy.id === challenger.policy.id) {
    const alone = await judgeAlone(candidate, contest);
    return { ...alone, promote: false, why: "not promoted: the same labels gave the champion again" };
  }
  await predictHeldOut({ ...contest, card: champion.card, folder: store.models.folder(champion.card.id) });
  await hearPredecessors(champion.policy.committee, contest);
  const [held, challenged] = await judgeOnHoldout([champion, candidate], contest);
  const comparison = compareModels(held!, challenged!, { margin: contest.task.promotion.margin });
  const { accuracy, coverage } = comparison.challenger;
  const certified = challenger.policy.certificate !== undefined;
  const why = certified
    ? comparison.why
    : `not promoted: ${challenger.policy.noCertificate?.reason ?? "nothing certified"}`;
  return { promote: comparison.promote && certified, why, accuracy, coverage, comparison };
}

/** Nothing serves: whatever is certified is better than asking the teacher every time. */
async function judgeAlone(candidate: Candidate, contest: Contest): Promise<RoundVerdict> {
  const [judged] = await judgeOnHoldout([candidate], contest);
  const { policy } = candidate;
  const promote = policy.certificate !== undefined;
  const why = promote
    ? `promoted: certified at ${(100 * policy.target.risk).toFixed(1)} % ${policy.target.kind} risk, and nothing else serves`
    : `not promoted: ${policy.noCertificate?.reason ?? "nothing certified"}`;
  return { promote, why, accuracy: share(judged!.correct), coverage: share(judged!.answers) };
}

const share = (flags: Uint8Array): Estimate =>
  shareOf(
    flags.reduce((sum, flag) => sum + flag, 0),
    flags.length,
  );

export type ServingCandidate = Candidate & { readonly champion: Champion };

/** What serves now, with what a comparison needs of it. */
export async function servingCandidate(store: Store): Promise<ServingCandidate | undefined> {
  const champion = await store.policies.champion();
  if (!champion) return undefined;
  const [card, policy] = [await store.models.get(champion.modelId), await store.policies.get(champion.policyId)];
  if (!card || !policy) return undefined;
  return { champion, card, policy, isVoid: (await store.policies.voided(policy.id)) !== undefined };
}

/** Traffic and money since the round before. */
async function sinceLastRound(store: Store): Promise<Pick<Round, "round" | "requests" | "escalated" | "costUsd">> {
  const rounds = await store.rounds.list();
  const spentBefore = rounds.reduce((sum, { costUsd }) => sum + costUsd, 0);
  const { spentUsd } = await store.spend.totals();
  return {
    round: rounds.length,
    ...(await trafficSince(rounds, store)),
    costUsd: Math.max(0, spentUsd - spentBefore),
  };
}
