/**
 * @file The routing rule, pure: a confidence, a policy and two draws give a route and its propensity.
 *
 * The uniform stream is drawn before the student is heard: a fixed share of all traffic gets the teacher's label whatever
 * the student says, so that what certifies and monitors is a fair sample. Everything else about auditing only decides
 * which of the remaining confident answers are worth a second opinion. Where the student may not answer anything, all
 * traffic is labelled, so all of it is the sample: a census.
 *
 * A row of several fields has one pair of draws, and one question to the teacher answers them all: it is labelled in every
 * field as soon as one field calls for it, and that is what the propensity of each says.
 */

import { type DeferralRule, deferralScore } from "../deferral.ts";
import type { EscalationReason, LabelValue } from "../records.ts";
import { type AuditRule, auditProbability } from "./audit-rule.ts";
import type { Draws } from "./draws.ts";

/** Why the student may not answer at all, however sure it is. */
export type Barrier = Exclude<EscalationReason, "unsure" | "unfamiliar" | "together">;

export type FieldQuestion = {
  /** The student's class. */
  readonly value?: LabelValue | undefined;
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
  readonly auditRule: AuditRule;
};

type RowDraws = {
  readonly draws: Draws;
  /** Share of all traffic in the uniform stream. */
  readonly uniformRate: number;
};

export type RouteQuestion = FieldQuestion & RowDraws;

export type RowQuestion = RowDraws & {
  /** Those that are asked for. */
  readonly fields: readonly FieldQuestion[];
  /** The row is answered whole or not at all. */
  readonly together: boolean;
  /** Some field that was not asked for might be answered: then not all traffic is labelled, only what asks as this does. */
  readonly othersAnswer: boolean;
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
  const [routing] = routeRow({ ...question, fields: [question], together: false, othersAnswer: false });
  return routing!;
}

/** In the order of `fields`; what is drawn is one for all of them. */
export function routeRow({ fields, together, othersAnswer, draws, uniformRate }: RowQuestion): readonly Routing[] {
  const standings = fields.map(standingOf);
  const census = !othersAnswer && standings.every((one) => one.kind === "escalate" && !hangsOnInput(one.reason));
  const uniform = census || (uniformRate > 0 && draws.uniform < uniformRate);
  const isEscalated = standings.some(({ kind }) => kind === "escalate");
  const auditRate = Math.max(...standings.map((standing, index) => auditRateOf(standing, fields[index]!)));
  const propensity = isEscalated ? 1 : uniformRate + (1 - uniformRate) * auditRate;
  const isLabelled = isEscalated || uniform || (auditRate > 0 && draws.audit < auditRate);
  return standings.map((standing) => {
    if (standing.kind === "escalate")
      return { route: "escalated", reason: standing.reason, uniform, census, propensity };
    if (together && isEscalated) return { route: "escalated", reason: "together", uniform, census, propensity };
    return { route: isLabelled ? "audited" : "answered", uniform, census, propensity };
  });
}

const auditRateOf = (standing: Standing, { auditRule }: FieldQuestion): number =>
  standing.kind === "answer" ? auditProbability(auditRule, standing.confidence) : 0;

/** Whether another input might have been answered: then who is escalated is no fair sample. */
function hangsOnInput(reason: EscalationReason): boolean {
  return reason === "unsure" || reason === "unfamiliar" || reason === "together" || reason === "student-failed";
}

type Standing =
  | { readonly kind: "answer"; readonly confidence: number }
  | { readonly kind: "escalate"; readonly reason: EscalationReason };

/** Written so that a NaN confidence escalates. */
function standingOf({ value, confidence, novelty, dissent, rule = {}, threshold, barrier }: FieldQuestion): Standing {
  if (barrier) return { kind: "escalate", reason: barrier };
  if (threshold === undefined) return { kind: "escalate", reason: "no-certificate" };
  if (confidence === undefined || Number.isNaN(confidence)) return { kind: "escalate", reason: "student-failed" };
  const said = { value, confidence, novelty, dissent };
  if (deferralScore(said, rule) >= threshold) return { kind: "answer", confidence };
  const { novelty: _, ...anyInput } = rule;
  return { kind: "escalate", reason: deferralScore(said, anyInput) >= threshold ? "unfamiliar" : "unsure" };
}
