/**
 * @file The monitor of the champion's certificate, over what the store holds: uniform decisions and what the reference says
 * of their rows. Read afresh each time, so that every replica comes to the same verdict, and an answer that comes late takes
 * its place in the order of time.
 */

import { type MonitorVerdict, monitorPolicy, type UniformRequest } from "../calibrate/monitor.ts";
import { clopperPearsonUpper } from "../math/binomial.ts";
import type { Certificate, Decision, Policy } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { wordsOf } from "../verdict.ts";

export type MonitorReading = {
  readonly verdict: MonitorVerdict;
  /** 95 % upper bound on the risk that the certificate bounds; undefined while nothing was observed. */
  readonly riskUpper: number | undefined;
  /** Uniform answers of the student on which the reference has not yet spoken. */
  readonly awaiting: number;
};

const RISK_UPPER_DELTA = 0.05;

/** Undefined where there is no certificate to watch. */
export async function readMonitor(store: Store, policy: Policy): Promise<MonitorReading | undefined> {
  const { certificate } = policy;
  if (!certificate) return undefined;
  const observed: UniformRequest[] = [];
  let awaiting = 0;
  for await (const decision of store.decisions.list({ policyId: policy.id, uniform: true })) {
    const request = await observe(decision, certificate, store);
    if (request) observed.push(request);
    else if (decision.route === "audited") awaiting += 1;
  }
  const verdict = monitorPolicy(certificate, observed);
  const { n, errors } = verdict;
  return { verdict, riskUpper: n === 0 ? undefined : clopperPearsonUpper(errors, n, RISK_UPPER_DELTA), awaiting };
}

/**
 * Against the teacher, an escalation is known at once: the student did not answer, so it was not wrong. Against people only
 * rows that somebody ruled on count, escalated or not: counting every escalation but few answers would hide the errors.
 * Undefined where the reference has not spoken.
 */
async function observe(
  { route, rowId, studentValue }: Decision,
  { reference, promptVersion }: Certificate,
  store: Store,
): Promise<UniformRequest | undefined> {
  const answered = route === "audited";
  if (!answered && reference === "teacher") return { answered, wrong: false };
  const word = wordsOf(await store.annotations.ofRow(rowId), promptVersion)[reference];
  return word === undefined ? undefined : { answered, wrong: answered && word !== studentValue };
}

/**
 * Reads the monitor, and voids the policy where it alarms: it answers nothing any more, on any replica.
 * @returns the reading, or undefined where there was nothing to watch
 */
export async function enforceMonitor(store: Store, policy: Policy, now: number): Promise<MonitorReading | undefined> {
  const reading = await readMonitor(store, policy);
  if (reading?.verdict.kind === "alarm") await store.policies.void(policy.id, reading.verdict.why, now);
  return reading;
}
