import type { Flywheel } from "../../flywheel/open.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { describeCandidates, describeModel, describePolicy } from "../say.ts";

export async function runTrain(flywheel: Flywheel, { progress, signal }: CommandContext): Promise<CommandResult> {
  const outcome = await flywheel.train({ progress, signal });
  const { card, policy, promoted, why, candidates = [] } = outcome;
  return {
    json: outcome,
    text: [
      ...describeCandidates(candidates),
      describeModel(card),
      ...describePolicy(policy),
      why,
      promoted ? "next: `flywheel report`, then `flywheel serve`" : "next: `flywheel report`",
    ],
  };
}
