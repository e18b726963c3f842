/** @file Who may ask: bearer keys, and the rule that a server beyond this machine has some. */

import { createHash, timingSafeEqual } from "node:crypto";
import { FlywheelError } from "../errors.ts";

/** The keys in `FLYWHEEL_API_KEYS`, separated by commas or white space. */
export function apiKeysFrom(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return (env["FLYWHEEL_API_KEYS"] ?? "").split(/[\s,]+/).filter((key) => key !== "");
}

/** @throws FlywheelError `api_keys_required` where others could reach a server that asks for no key */
export function requireKeysBeyondLoopback(host: string, apiKeys: readonly string[]): void {
  if (apiKeys.length > 0 || isLoopback(host)) return;
  throw new FlywheelError("api_keys_required", `the server would listen on ${host}, open to others, without any key`, {
    hint: "set FLYWHEEL_API_KEYS=key1,key2, or listen on 127.0.0.1",
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Whether an `Authorization` header carries one of the keys. Compares hashes, and all of them, so that the time taken tells
 * nothing of any key.
 */
export function createKeyCheck(apiKeys: readonly string[]): (authorization: string | undefined) => boolean {
  const known = apiKeys.map(digest);
  return (authorization) => {
    if (known.length === 0) return true;
    const given = digest(/^Bearer\s+(\S+)\s*$/i.exec(authorization ?? "")?.[1] ?? "");
    return known.map((key) => timingSafeEqual(key, given)).includes(true);
  };
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
