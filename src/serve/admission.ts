/**
 * @file How many requests are let in at once. Beyond that the honest answer is 429 at once: a queue without an end would answer
 * everybody too late, and hold all their bodies meanwhile.
 */

import { RequestError } from "./request-error.ts";

export type AdmissionLimits = {
  /** Requests under way at once. 512 by default. */
  readonly maxRequests?: number | undefined;
  /** Of one API key. Half of `maxRequests` by default where there are several keys, so that none shuts the others out. */
  readonly maxRequestsPerKey?: number | undefined;
  /** Bytes of request bodies held at once. 256 MiB by default. */
  readonly maxBodyBytes?: number | undefined;
};

export const ShedReason = ["requests", "key", "bytes"] as const;
export type ShedReason = (typeof ShedReason)[number];

export type Admission = {
  /** @returns lets go of the place again @throws RequestError 429 */
  enter(request: { readonly key: string; readonly sizeBytes: number }): () => void;
};

const DEFAULT_MAX_REQUESTS = 512;
const DEFAULT_MAX_BODY_BYTES = 256 * 2 ** 20;
/** The average request takes milliseconds: a second later there is room, unless everybody waits for something. */
const RETRY_AFTER_MS = 1_000;

export type AdmissionOptions = AdmissionLimits & {
  readonly keys: number;
  readonly onShed: (reason: ShedReason) => void;
};

export function createAdmission(options: AdmissionOptions): Admission {
  const { maxRequests = DEFAULT_MAX_REQUESTS, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options;
  const { maxRequestsPerKey = options.keys > 1 ? Math.ceil(maxRequests / 2) : maxRequests } = options;
  const ofKey = new Map<string, number>();
  let [requests, bytes] = [0, 0];

  /** A body that is larger than all room is not refused for ever: it is let in where it is alone. */
  const reasonAgainst = (key: string, sizeBytes: number): ShedReason | undefined => {
    if (requests >= maxRequests) return "requests";
    if ((ofKey.get(key) ?? 0) >= maxRequestsPerKey) return "key";
    return bytes > 0 && bytes + sizeBytes > maxBodyBytes ? "bytes" : undefined;
  };
  const count = (key: string, sizeBytes: number, by: 1 | -1): void => {
    requests += by;
    bytes += by * sizeBytes;
    const left = (ofKey.get(key) ?? 0) + by;
    if (left > 0) ofKey.set(key, left);
    else ofKey.delete(key);
  };

  return {
    enter({ key, sizeBytes }) {
      const reason = reasonAgainst(key, sizeBytes);
      if (reason) {
        options.onShed(reason);
        throw tooMany(reason);
      }
      count(key, sizeBytes, 1);
      return () => count(key, sizeBytes, -1);
    },
  };
}

const messages: Readonly<Record<ShedReason, string>> = {
  requests: "too many requests are under way",
  key: "too many requests of this API key are under way",
  bytes: "the requests under way hold as much as this server has room for",
};

const tooMany = (reason: ShedReason): RequestError =>
  new RequestError(429, "too_many_requests", messages[reason], {
    hint: "send fewer at once, and again after the time in Retry-After",
    retryable: true,
    retryAfterMs: RETRY_AFTER_MS,
  });
