import { once } from "node:events";
import { pino } from "pino";
import type { ServeOptions } from "../../flywheel/open.ts";
import type { AnyFlywheel } from "../../flywheel/open-fields.ts";
import { createLogStream } from "../../serve/log-stream.ts";
import type { CommandContext, CommandResult } from "../command.ts";

export async function runServe(
  flywheel: AnyFlywheel,
  { signal, json, say, env }: CommandContext,
  where: ServeOptions,
): Promise<CommandResult> {
  const server = await flywheel.serve({
    ...where,
    log: pino({ level: env["FLYWHEEL_LOG_LEVEL"] ?? "info" }, createLogStream(2)),
  });
  // A program that started us needs the address before the command ends; it reads one JSON line.
  if (json) process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
  say(`serving "${flywheel.task.name}" at ${server.url} (Ctrl-C stops it)`);
  if (!signal.aborted) await once(signal, "abort");
  say("draining…");
  await server.close();
  return { json: { stopped: true }, text: ["stopped; every acknowledged request is in the store"] };
}
