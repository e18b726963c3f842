import type { Flywheel } from "../../flywheel/open.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { describeModel, describePolicy, estimate, shortId, usd } from "../say.ts";

export async function runImprove(
  flywheel: Flywheel,
  { progress, signal }: CommandContext,
  { force }: { readonly force: boolean },
): Promise<CommandResult> {
  const outcome = await flywheel.improve({ force, progress, signal });
  if (outcome.kind === "not-due") {
    const { newLabels, needed } = outcome;
    return {
      json: outcome,
      text: [`no round is due: ${newLabels} new labels, ${needed} start one`, "--force turns the wheel all the same"],
    };
  }
  const { round, challenger } = outcome;
  return {
    json: outcome,
    text: [
      `round ${round.round}: ${round.why}`,
      describeModel(challenger.card),
      ...describePolicy(challenger.policy),
      `traffic since the last round: ${round.requests} requests, escalated ${estimate(round.escalated)}, ${usd(round.costUsd)}`,
    ],
  };
}

export async function runRollback(flywheel: Flywheel): Promise<CommandResult> {
  const champion = await flywheel.rollback();
  return { json: champion, text: [`${champion.reason}: model ${shortId(champion.modelId)} serves now`] };
}
