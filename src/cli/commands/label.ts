import type { Flywheel } from "../../flywheel/open.ts";
import type { CommandContext, CommandResult } from "../command.ts";

export async function runPlan(flywheel: Flywheel): Promise<CommandResult> {
  const plan = await flywheel.plan();
  return { json: plan, text: [JSON.stringify(plan, null, 2)] };
}

export async function runLabel(
  flywheel: Flywheel,
  { progress, signal }: CommandContext,
  { limit }: { readonly limit?: number },
): Promise<CommandResult> {
  const summary = await flywheel.label({ limit, progress, signal });
  return { json: summary, text: [JSON.stringify(summary, null, 2)] };
}
