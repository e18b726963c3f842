/**
 * @file The routing rule, pure: a confidence, a policy and two draws give a route and its propensity.
 *
 * The uniform stream is drawn before the student is heard: a fixed share of all traffic gets the teacher's label whatever
 * the student says, so that what certifies and monitors is a fair sample. Everything else about auditing only decides
 * which of the remaining confident answers are worth a second opinion. Where the student may not answer anything, all
 * traffic is labelled, so all of it is the sample: a census.
 */

import { type DeferralRule, deferralScore } from "../deferral.ts";
import type { EscalationReason } from "../records.ts";
import { type AuditRule, auditProbability } from "./audit-rule.ts";
import type { Draws } from "./draws.ts";

/** Why the student may not answer at all, however sure it is. */
export type Barrier = Exclude<EscalationReason, "unsure" | "unfamiliar">;

export type RouteQuestion = {
  /** Calibrated, of the student's class, in [0, 1]; absent where there is no student, or it failed. */
  readonly confidence?: number | undefined;
  /** Of the input, where the policy has a limit to it. */
  readonly novelty?: number | undefined;
  /** Of the members of the policy's committee, where they were asked. */
  readonly dissent?: number | undefined;
  /** Of the policy; absent: the confidence alone decides. */
  readonly rule?: DeferralRule | undefined;
  /** Absent: nothing is certified, everything is escalated. */
  readonly threshold?: number | undefined;
  readonly barrier?: Barrier | undefined;
  readonly draws: Draws;
  /** Share of all traffic in the uniform stream. */
  readonly uniformRate: number;
  readonly auditRule: AuditRule;
};

export type Routing = {
  /** Drawn for the uniform stream, or part of a census. */
  readonly uniform: boolean;
  /** All traffic is labelled, whatever is in it. */
  readonly census: boolean;
  /** Probability, over the draws, with which this request receives a teacher's label. */
  readonly propensity: number;
} & ({ readonly route: "answered" | "audited" } | { readonly route: "escalated"; readonly reason: EscalationReason });

export function route(question: RouteQuestion): Routing {
  const { draws, uniformRate, auditRule } = question;
  const standing = standingOf(question);
  const census = standing.kind === "escalate" && !hangsOnInput(standing.reason);
  const uniform = census || draws.uniform < uniformRate;
  if (standing.kind === "escalate")
    return { route: "escalated", reason: standing.reason, uniform, census, propensity: 1 };

  const auditRate = auditProbability(auditRule, standing.confidence);
  const propensity = uniformRate + (1 - uniformRate) * auditRate;
  return { route: uniform || draws.audit < auditRate ? "audited" : "answered", uniform, census, propensity };
}

/** Whether another input might have been answered: then who is escalated is no fair sample. */
function hangsOnInput(reason: EscalationReason): boolean {
  return reason === "unsure" || reason === "unfamiliar" || reason === "student-failed";
}

type Standing =
  | { readonly kind: "answer"; readonly confidence: number }
  | { readonly kind: "escalate"; readonly reason: EscalationReason };

/** Written so that a NaN confidence escalates. */
function standingOf({ confidence, novelty, dissent, rule = {}, threshold, barrier }: RouteQuestion): Standing {
  if (barrier) return { kind: "escalate", reason: barrier };
  if (threshold === undefined) return { kind: "escalate", reason: "no-certificate" };
  if (confidence === undefined || Number.isNaN(confidence)) return { kind: "escalate", reason: "student-failed" };
  const said = { confidence, novelty, dissent };
  if (deferralScore(said, rule) >= threshold) return { kind: "answer", confidence };
  const { novelty: _, ...anyInput } = rule;
  return { kind: "escalate", reason: deferralScore(said, anyInput) >= threshold ? "unfamiliar" : "unsure" };
}
