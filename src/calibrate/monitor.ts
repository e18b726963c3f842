/**
 * @file Watches a certificate while traffic flows, and says when the world has moved. A certificate holds for the stream it
 * was issued on; an e-process over the uniform stream is the hard stop (SCIENCE D8). It may be looked at after every request
 * and false-alarms with probability at most α over its whole life.
 */

import { type Counts, couldAlarm, type EProcess, observe, observeCounts, startEProcess } from "../math/e-process.ts";
import type { Certificate, Target } from "../records.ts";
import { riskText } from "./verdict.ts";

/** One request of the uniform stream, in order of time. */
export type UniformRequest = {
  /** Whether the student's answer was at or above the threshold. */
  readonly answered: boolean;
  /** Whether the reference contradicts the student. Read only where it answered. */
  readonly wrong: boolean;
};

/** Plain JSON, so that it survives a restart. */
export type Monitor = { readonly target: Target; readonly process: EProcess };

export function startMonitor({ target }: Certificate, alpha = 0.05): Monitor {
  return { target, process: startEProcess(target.risk, alpha) };
}

/**
 * One more request. Regret counts every uniform request (one that was escalated cannot have been answered wrongly);
 * selective risk counts the answered ones.
 */
export function observeRequest(monitor: Monitor, { answered, wrong }: UniformRequest): Monitor {
  if (monitor.target.kind === "selective" && !answered) return monitor;
  return { ...monitor, process: observe(monitor.process, Number(answered && wrong)) };
}

/** Uniform requests on which the reference has spoken, by what became of them. */
export type UniformCounts = {
  /** Not answered by the student. */
  readonly passed: number;
  readonly correct: number;
  readonly wrong: number;
};

/**
 * A stretch of the stream: by its counts, and one after the other only where the alarm might sound within it.
 * @param requests the same in order of time
 */
export async function observeStretch(
  monitor: Monitor,
  { passed, correct, wrong }: UniformCounts,
  requests: () => AsyncIterable<UniformRequest>,
): Promise<Monitor> {
  const zeros = correct + (monitor.target.kind === "selective" ? 0 : passed);
  const counts: Counts = { ones: wrong, zeros };
  if (!couldAlarm(monitor.process, counts)) return { ...monitor, process: observeCounts(monitor.process, counts) };
  let after = monitor;
  for await (const request of requests()) after = observeRequest(after, request);
  return after;
}

export type MonitorVerdict = {
  /** Requests that counted, and the wrong answers among them. */
  readonly n: number;
  readonly errors: number;
  /** The e-process M_t: evidence that the risk has risen; the alarm sounds at 1/α. */
  readonly evidence: number;
} & (
  | { readonly kind: "holding" }
  /** The policy is to be voided: everything to the teacher, retrain, certify anew. */
  | { readonly kind: "alarm"; readonly alarmedAt: number; readonly why: string }
);

export function verdictOf({ target, process }: Monitor): MonitorVerdict {
  const { n, total, alarmedAt, logValue } = process;
  const seen = { n, errors: total, evidence: Math.exp(logValue) };
  if (alarmedAt === undefined) return { kind: "holding", ...seen };
  const why = `${total} wrong answers in ${n} uniform requests: the ${target.kind} risk is no longer at most ${riskText(target.risk)}`;
  return { kind: "alarm", alarmedAt, why, ...seen };
}

/** The verdict on a whole sequence. */
export function monitorPolicy(
  certificate: Certificate,
  requests: Iterable<UniformRequest>,
  options: { readonly alpha?: number } = {},
): MonitorVerdict {
  let monitor = startMonitor(certificate, options.alpha);
  for (const request of requests) monitor = observeRequest(monitor, request);
  return verdictOf(monitor);
}
