/**
 * @file Outcomes of the uniform stream, which the monitor of a certificate watches: one record for each uniform decision of
 * a policy, with whether the reference contradicts the student, and their numbers by hour.
 *
 * Kept in the transaction of whatever changes them: the decision, an annotation of its row, the policy itself. An answer
 * that comes late changes the hour of the request that it is about.
 */

import type { Annotation, Decision, Policy, PolicyId, RowId } from "../records.ts";
import { wordsOf } from "../verdict.ts";
import { type Cell, fromJson, type RunNow, toBit } from "./database.ts";
import { hourOf } from "./tallies.ts";

/** `wrong`: whether the reference contradicts the student; null while it has not spoken. */
export type OutcomeRecord = {
  readonly policy_id: PolicyId;
  readonly at: number;
  readonly id: string;
  readonly row_id: RowId;
  readonly answered: number;
  readonly student_value: string | null;
  readonly wrong: number | null;
};

/** What the reference is: of a policy with a certificate. */
export type Bound = Pick<NonNullable<Policy["certificate"]>, "reference" | "promptVersion">;

const insertOutcome = `insert into uniform_outcomes (field, policy_id, at, id, row_id, answered, student_value, wrong)
  values (?, ?, ?, ?, ?, ?, ?, ?)`;
const outcomes = "select policy_id, at, id, row_id, answered, student_value, wrong from uniform_outcomes";
const setWrong = "update uniform_outcomes set wrong = ? where field = ? and policy_id = ? and at = ? and id = ?";
const addToHour = `insert into outcome_hours (field, policy_id, hour, awaiting, passed, correct, wrong)
  values (?, ?, ?, ?, ?, ?, ?)
  on conflict (field, policy_id, hour) do update set awaiting = outcome_hours.awaiting + excluded.awaiting,
    passed = outcome_hours.passed + excluded.passed, correct = outcome_hours.correct + excluded.correct,
    wrong = outcome_hours.wrong + excluded.wrong`;

/** Uniform decisions that are new in the store. */
export function noteUniform(run: RunNow, field: string, decisions: readonly Decision[]): void {
  for (const decision of decisions) if (decision.uniform && decision.policyId) addOutcome(run, field, decision);
}

function addOutcome(run: RunNow, field: string, decision: Decision): void {
  const { id, rowId, at, route, studentValue = null } = decision;
  const policyId = decision.policyId!;
  const blank = { policy_id: policyId, at, id, row_id: rowId, answered: toBit(route === "audited"), wrong: null };
  const outcome = { ...blank, student_value: studentValue };
  const wrong = judge(run, { field, outcome, bound: boundOf(run, field, policyId) });
  run(insertOutcome, [field, policyId, at, id, rowId, outcome.answered, studentValue, wrong]);
  run(addToHour, [field, policyId, hourOf(at), ...counts(outcome.answered, wrong)]);
}

/** An annotation of these rows is new. */
export function rejudgeRow(run: RunNow, field: string, rowId: RowId): void {
  rejudge(run, field, run(`${outcomes} where field = ? and row_id = ?`, [field, rowId]).rows as OutcomeRecord[]);
}

/** A policy is new, and decisions name it already. */
export function rejudgePolicy(run: RunNow, field: string, policyId: PolicyId): void {
  rejudge(run, field, run(`${outcomes} where field = ? and policy_id = ?`, [field, policyId]).rows as OutcomeRecord[]);
}

function rejudge(run: RunNow, field: string, records: readonly OutcomeRecord[]): void {
  for (const outcome of records) {
    const wrong = judge(run, { field, outcome, bound: boundOf(run, field, outcome.policy_id) });
    if (wrong === outcome.wrong) continue;
    const { policy_id, at, id, answered } = outcome;
    run(setWrong, [wrong, field, policy_id, at, id]);
    const [before, after] = [counts(answered, outcome.wrong), counts(answered, wrong)];
    run(addToHour, [field, policy_id, hourOf(at), ...after.map((count, index) => count - before[index]!)]);
  }
}

/** Awaiting, passed, correct, wrong: what one outcome adds to its hour. An escalation without a word is none of them. */
function counts(answered: number, wrong: number | null): readonly number[] {
  if (wrong === null) return [answered, 0, 0, 0];
  return [0, 1 - answered, answered * (1 - wrong), answered * wrong];
}

type Judged = { readonly field: string; readonly outcome: OutcomeRecord; readonly bound: Bound | undefined };

/**
 * Against the teacher, an escalation is known at once: the student did not answer, so it was not wrong. Against people only
 * rows that somebody ruled on count, escalated or not: counting every escalation but few answers would hide the errors.
 */
function judge(run: RunNow, { field, outcome, bound }: Judged): number | null {
  if (!bound) return null;
  const { answered, row_id, student_value } = outcome;
  if (answered === 0 && bound.reference === "teacher") return 0;
  const word = wordsOf(annotationsOf(run, field, row_id), bound.promptVersion)[bound.reference];
  return word === undefined ? null : toBit(answered === 1 && word !== student_value);
}

function annotationsOf(run: RunNow, field: string, rowId: RowId): readonly Annotation[] {
  const text = "select body from annotations where field = ? and row_id = ? order by at, id";
  return bodies<Annotation>(run, text, [field, rowId]);
}

/** Policies never change, so what is known of one stays so; by the connection, for every store has its own. */
const known = new WeakMap<RunNow, Map<string, Bound>>();

function boundOf(run: RunNow, field: string, policyId: PolicyId): Bound | undefined {
  const own = known.get(run) ?? new Map<string, Bound>();
  known.set(run, own);
  const key = `${field} ${policyId}`;
  if (own.has(key)) return own.get(key);
  const [policy] = bodies<Policy>(run, "select body from policies where field = ? and id = ?", [field, policyId]);
  if (!policy?.certificate) return undefined;
  const { reference, promptVersion } = policy.certificate;
  own.set(key, { reference, promptVersion });
  return { reference, promptVersion };
}

function bodies<T>(run: RunNow, text: string, values: readonly Cell[]): readonly T[] {
  return (run(text, values).rows as readonly { readonly body: string }[]).map(({ body }) => fromJson<T>(body));
}
