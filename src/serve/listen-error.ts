/** @file Why a server could not open its door, as coded errors that say how to mend it. */

import { FlywheelError, messageOf } from "../errors.ts";

/**
 * `thrown` as `port_in_use`, `port_forbidden` or `host_unavailable` where it is one of these, else as it is.
 * @param where host and port
 */
export function toListenError(thrown: unknown, where: string): unknown {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  const listenErrors: Readonly<Record<string, readonly [string, string, string]>> = {
    EADDRINUSE: ["port_in_use", "another program listens there", "choose another with --port, or stop the other"],
    EACCES: ["port_forbidden", "this user may not listen there", "choose a port from 1024 on with --port"],
    EADDRNOTAVAIL: ["host_unavailable", "this machine has no such address", "check --host"],
    ENOTFOUND: ["host_unavailable", "there is no such host", "check --host"],
  };
  const known = typeof code === "string" ? listenErrors[code] : undefined;
  if (!known) return thrown;
  const [ours, reason, hint] = known;
  return new FlywheelError(ours, `cannot listen on ${where}: ${reason} (${messageOf(thrown)})`, {
    hint,
    cause: thrown,
  });
}
