/**
 * @file The monitor of the champion's certificate, over what the store keeps of uniform decisions and what the reference says
 * of their rows. Read afresh each time, hour by hour, so that every replica comes to the same verdict, and an answer that
 * comes late takes its place in the order of time.
 */

import { type MonitorVerdict, observeStretch, startMonitor, verdictOf } from "../calibrate/monitor.ts";
import { clopperPearsonUpper } from "../math/binomial.ts";
import type { Policy } from "../records.ts";
import type { Store } from "../store/contract.ts";

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
  const { certificate, id } = policy;
  if (!certificate) return undefined;
  let [monitor, awaiting] = [startMonitor(certificate), 0];
  for (const counts of await store.history.outcomeHours(id)) {
    monitor = await observeStretch(monitor, counts, () => store.history.outcomes(id, counts.hour));
    awaiting += counts.awaiting;
  }
  const verdict = verdictOf(monitor);
  const { n, errors } = verdict;
  return { verdict, riskUpper: n === 0 ? undefined : clopperPearsonUpper(errors, n, RISK_UPPER_DELTA), awaiting };
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
