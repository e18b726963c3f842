/**
 * @file Watches a certificate while traffic flows, and says when the world has moved. A certificate holds for the stream it
 * was issued on; an e-process over the uniform stream is the hard stop (SCIENCE D8). It may be looked at after every request
 * and false-alarms with probability at most α over its whole life.
 */

import { type EProcess, observe, startEProcess } from "../math/e-process.ts";
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
