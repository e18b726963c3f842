/** @file What serves: the champion of the store with everything that a request needs of it, read and checked. */

import { heldOutUnder, sameClasses, withPredecessors } from "../committee.ts";
import type { Student } from "../contracts.ts";
import { deferralScore } from "../deferral.ts";
import { FlywheelError } from "../errors.ts";
import type { Champion, LabelValue, Policy } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { type AuditRule, auditRuleFor, flatAuditRule } from "./audit-rule.ts";
import type { Calibrate } from "./guess.ts";
import type { Barrier } from "./policy.ts";
import { type SharedStudent, shareStudent } from "./shared-student.ts";

export type Serving = {
  /** Absent where there is no champion, or it could not be loaded. */
  readonly pair?: { readonly champion: Champion; readonly policy: Policy; readonly shared: SharedStudent };
  readonly auditRule: AuditRule;
  readonly barrier?: Barrier;
};

export type ServingOptions = {
  readonly store: Store;
  /** Of the teacher that serves now; a policy certified for another answers nothing. */
  readonly promptVersion: string;
  /** Also asked for each predecessor in the committee, under the champion's version. */
  readonly loadStudent: (champion: Champion) => Promise<Student>;
  readonly calibrate: Calibrate;
  /** Mean share of confident traffic to audit. */
  readonly auditRate: number;
};

export function emptyServing(auditRate: number, barrier: Barrier): Serving {
  return { auditRule: flatAuditRule(auditRate), barrier };
}

/**
 * What serves next, by the store: `current` itself where nothing has changed.
 * @throws FlywheelError `policy_missing`, `student_mismatch`, `committee_missing`, and whatever loading throws
 */
export async function readServing(current: Serving, options: ServingOptions): Promise<Serving> {
  const champion = await options.store.policies.champion();
  if (!champion) return current.barrier === "no-champion" ? current : emptyServing(options.auditRate, "no-champion");
  if (champion.version !== current.pair?.champion.version) return await loadServing(champion, options);
  const barrier = await barrierOf(current.pair.policy, options);
  return barrier === current.barrier ? current : withBarrier(current, barrier);
}

async function loadServing(champion: Champion, options: ServingOptions): Promise<Serving> {
  const policy = await options.store.policies.get(champion.policyId);
  if (!policy) {
    throw new FlywheelError("policy_missing", `champion ${champion.version} names policy ${champion.policyId}`, {
      hint: "the workspace is incomplete: restore it from a backup, or promote another model",
    });
  }
  const auditRule = await auditRuleOf(policy, options);
  const barrier = await barrierOf(policy, options);
  const student = await loadWithCommittee(champion, policy, options);
  return withBarrier({ pair: { champion, policy, shared: shareStudent(student) }, auditRule }, barrier);
}

/** The student of the policy, and who is heard beside it. */
async function loadWithCommittee(champion: Champion, policy: Policy, options: ServingOptions): Promise<Student> {
  const { committee, classes } = policy;
  await using loaded = new AsyncDisposableStack();
  const student = loaded.use(await loadChecked(champion, classes, options));
  if (committee?.kind !== "predecessors") {
    checkFolds(student, policy);
    loaded.move();
    return student;
  }
  const members: Student[] = [];
  for (const modelId of committee.members)
    members.push(loaded.use(await loadMember({ ...champion, modelId }, policy, options)));
  loaded.move();
  return withPredecessors(student, members);
}

async function loadMember(member: Champion, { id, classes }: Policy, options: ServingOptions): Promise<Student> {
  try {
    return await loadChecked(member, classes, options);
  } catch (cause) {
    throw committeeMissing(`policy ${id} hears model ${member.modelId}, which cannot be loaded`, cause);
  }
}

function checkFolds(student: Student, { id, committee }: Policy): void {
  const size = student.committee?.size ?? 0;
  if (!committee || committee.size === size) return;
  throw committeeMissing(`policy ${id} hears ${committee.size} members of model ${student.modelId}, which has ${size}`);
}

function committeeMissing(why: string, cause?: unknown): FlywheelError {
  return new FlywheelError("committee_missing", why, {
    hint: "the certificate is about the rule with them: put the model's folder back from a backup, roll back, or train and certify again",
    cause,
  });
}

async function loadChecked(
  champion: Champion,
  classes: readonly LabelValue[],
  { loadStudent }: ServingOptions,
): Promise<Student> {
  const student = await loadStudent(champion);
  if (sameClasses(student.classes, classes)) return student;
  await student[Symbol.asyncDispose]();
  throw new FlywheelError(
    "student_mismatch",
    `model ${champion.modelId} knows [${student.classes}], its policy [${classes}]`,
    {
      hint: "train and certify again, then promote",
    },
  );
}

/**
 * A policy of another prompt version is not voided in the store, only here: during a rolling deployment the replicas that
 * still ask the old question go on under its certificate, and putting the old question back restores it.
 */
async function barrierOf(policy: Policy, { store, promptVersion }: ServingOptions): Promise<Barrier | undefined> {
  if (policy.promptVersion !== promptVersion || (await store.policies.voided(policy.id))) return "voided";
  return policy.threshold === undefined || !policy.certificate ? "no-certificate" : undefined;
}

function withBarrier({ pair, auditRule }: Serving, barrier: Barrier | undefined): Serving {
  return { ...(pair ? { pair } : {}), auditRule, ...(barrier ? { barrier } : {}) };
}

/** Solved on the confidences of those rows that the model was not trained on and would answer. */
async function auditRuleOf(policy: Policy, { store, calibrate, auditRate }: ServingOptions): Promise<AuditRule> {
  const { threshold } = policy;
  if (threshold === undefined) return flatAuditRule(auditRate);
  const confidences: number[] = [];
  for await (const prediction of heldOutUnder(store, policy)) {
    const { top, confidence } = calibrate(policy.calibrator, prediction.logits);
    if (deferralScore({ ...prediction, value: policy.classes[top], confidence }, policy) >= threshold)
      confidences.push(confidence);
  }
  return auditRuleFor(confidences, auditRate);
}
