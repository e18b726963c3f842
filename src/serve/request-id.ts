/**
 * @file Names of requests: `req_` and a UUID of version 7 (RFC 9562), which begins with the time. Neighbours in time are
 * neighbours in the store's index, so that recording a decision touches one page of it and not one anywhere. The 74 random
 * bits behind are what nobody can foresee.
 */

import { randomUUID } from "node:crypto";

const TIME_DIGITS = 12;

/** @param nowMs since the epoch */
export function newRequestId(nowMs: number): string {
  const time = Math.floor(nowMs).toString(16).padStart(TIME_DIGITS, "0");
  const random = randomUUID();
  return `req_${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}
