/**
 * @file What every command shares: the workspace, `--json`, `--seed`, Ctrl-C, progress, errors and exit codes.
 *
 * A command returns what it found as `json` and how to say it as `text`; only this file writes to stdout.
 */

import { resolve } from "node:path";
import { systemClock } from "../clock.ts";
import type { Clock, Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import type { AnyFlywheel } from "../flywheel/open-fields.ts";
import { showProgress } from "./progress-bar.ts";

/** 0 done, 1 failed, 2 wrong usage. */
export const ExitCode = { done: 0, failed: 1, usage: 2 } as const;

export type GlobalOptions = { readonly dir: string; readonly json: boolean; readonly seed: string };

export type CommandResult = {
  /** Everything that the command found; printed alone under `--json`. */
  readonly json: unknown;
  /** The same for a person. */
  readonly text: readonly string[];
  /** 1 where the command ran but found something wrong (`doctor`). */
  readonly exitCode?: number;
};

export type CommandContext = GlobalOptions & {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly env: NodeJS.ProcessEnv;
  /** A line for a person while the command runs; goes to stderr, so that stdout stays clean. */
  readonly say: (line: string) => void;
};

/** Runs a command, prints its result and sets the exit code. */
export async function runCommand(
  options: GlobalOptions,
  command: (context: CommandContext) => Promise<CommandResult>,
): Promise<void> {
  const interrupt = interruptSignal();
  const display = showProgress(process.stderr, systemClock);
  const context: CommandContext = {
    ...options,
    dir: resolve(options.dir),
    clock: systemClock,
    signal: interrupt.signal,
    progress: display.progress,
    env: process.env,
    say: (line) => process.stderr.write(`${line}\n`),
  };
  try {
    const result = await command(context);
    display.stop();
    process.stdout.write(options.json ? `${JSON.stringify(result.json)}\n` : `${result.text.join("\n")}\n`);
    process.exitCode = result.exitCode ?? ExitCode.done;
  } catch (thrown) {
    display.stop();
    printFailure(thrown, options, interrupt.signal);
    process.exitCode = ExitCode.failed;
  } finally {
    interrupt.dispose();
  }
}

/** As `runCommand`, with the workspace open. */
export async function runInWorkspace(
  options: GlobalOptions,
  command: (flywheel: AnyFlywheel, context: CommandContext) => Promise<CommandResult>,
): Promise<void> {
  await runCommand(options, async (context) => {
    const { openWorkspace } = await import("../flywheel/open-fields.ts");
    await using flywheel = await openWorkspace({ directory: context.dir, seed: context.seed, env: context.env });
    return await command(flywheel, context);
  });
}

/** The first Ctrl-C asks the work to stop where it can be resumed; a second ends the process at once. */
function interruptSignal(): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new FlywheelError("interrupted", "interrupted", { hint: "run the same command again to resume" }));
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  return {
    signal: controller.signal,
    dispose: () => void process.off("SIGINT", stop).off("SIGTERM", stop),
  };
}

function printFailure(thrown: unknown, options: GlobalOptions, signal: AbortSignal): void {
  const failure = signal.aborted && FlywheelError.isInstance(signal.reason) ? signal.reason : thrown;
  const { code, message, hint } = describeFailure(failure);
  if (options.json) process.stdout.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
  process.stderr.write(`flywheel: ${message} [${code}]\n${hint ? `  → ${hint}\n` : ""}`);
  if (process.env["FLYWHEEL_DEBUG"] && failure instanceof Error) process.stderr.write(`${failure.stack}\n`);
}

function describeFailure(failure: unknown): { code: string; message: string; hint: string | undefined } {
  if (FlywheelError.isInstance(failure)) return { code: failure.code, message: failure.message, hint: failure.hint };
  if (failure instanceof Error && "syscall" in failure) return describeFailure(toSystemError(failure));
  return {
    code: "unexpected",
    message: failure instanceof Error ? failure.message : String(failure),
    hint: "this is a bug in flywheel: run again with FLYWHEEL_DEBUG=1 and report what it prints",
  };
}

/** What the file system or the network refuses is the user's to mend. */
function toSystemError(cause: Error): FlywheelError {
  return new FlywheelError("system_refused", `the system refuses: ${cause.message}`, {
    hint: "check that the path is right, that you may read and write there, and that the disk has room",
    cause,
  });
}
