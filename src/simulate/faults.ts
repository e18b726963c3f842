/** @file What goes wrong with a simulated teacher, and how often, to order and from the seed. */

import { createRng, fork, type Seed } from "../math/random.ts";

/** Shares of requests, in [0, 1]; together at most 1. */
export type FaultRates = {
  /** Refused with 429 whatever the rate. */
  readonly p429?: number;
  /** 500 or 503. */
  readonly p5xx?: number;
  /** Accepted and never answered. */
  readonly pHang?: number;
  /** Answered in JSON that ends half-way; charged. */
  readonly pMalformed?: number;
  /** Answered with a label that does not exist; charged. */
  readonly pOffSchema?: number;
  /** Charged, then the connection is cut before the answer. */
  readonly pCut?: number;
};

export const Fault = ["p429", "p5xx", "pHang", "pMalformed", "pOffSchema", "pCut"] as const;
export type Fault = (typeof Fault)[number];

/** @param request names the request and which attempt it is, so that a retry meets another fate */
export function faultOf(rates: FaultRates, seed: Seed, request: string): Fault | undefined {
  const draw = createRng(fork(seed, "fault", request)).next();
  let passed = 0;
  return Fault.find((fault) => {
    passed += rates[fault] ?? 0;
    return draw < passed;
  });
}

/** Log-normal, as waiting times of real providers are. */
export type Latency = {
  readonly medianMs: number /** Standard deviation of the logarithm. */;
  readonly sigma?: number;
};

export function latencyOf({ medianMs, sigma = 0 }: Latency, seed: Seed, request: string): number {
  return medianMs * Math.exp(sigma * createRng(fork(seed, "latency", request)).normal());
}
