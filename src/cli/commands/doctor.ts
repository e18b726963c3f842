import { examine } from "../../flywheel/doctor.ts";
import { type CommandContext, type CommandResult, ExitCode } from "../command.ts";

export async function runDoctor({ dir, env }: CommandContext): Promise<CommandResult> {
  const checks = await examine(dir, env);
  const ok = checks.every((check) => check.ok);
  return {
    json: { ok, checks },
    text: checks.flatMap(({ name, ok, detail, hint }) => [
      `${ok ? "✓" : "✗"} ${name.padEnd(14)} ${detail}`,
      ...(hint ? [`  → ${hint}`] : []),
    ]),
    exitCode: ok ? ExitCode.done : ExitCode.failed,
  };
}
