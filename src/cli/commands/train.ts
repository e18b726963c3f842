import type { TrainOutcome } from "../../flywheel/open.ts";
import { type AnyFlywheel, isOfFields } from "../../flywheel/open-fields.ts";
import { isOneAnswer } from "../../one-answer.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import {
  describeCandidates,
  describeFields,
  describeModel,
  describePolicy,
  describeRemarks,
  describeWarnings,
} from "../say.ts";

export async function runTrain(flywheel: AnyFlywheel, { progress, signal }: CommandContext): Promise<CommandResult> {
  const work = { progress, signal };
  if (isOfFields(flywheel)) {
    const { fields } = await flywheel.train(work);
    const promoted = Object.values(fields).some((outcome) => outcome.promoted);
    return { json: { fields }, text: [...describeFields(fields, describe), next(promoted)] };
  }
  const outcome = await flywheel.train(work);
  return { json: outcome, text: [...describe(outcome), next(outcome.promoted)] };
}

const next = (promoted: boolean): string =>
  promoted ? "next: `flywheel report`, then `flywheel serve`" : "next: `flywheel report`";

function describe({ card, policy, why, candidates = [] }: TrainOutcome): readonly string[] {
  return [
    ...describeWarnings(policy.warnings.filter(isOneAnswer)),
    ...describeCandidates(candidates),
    describeModel(card),
    ...describeRemarks(card),
    ...describePolicy({ ...policy, warnings: policy.warnings.filter((warning) => !isOneAnswer(warning)) }),
    why,
  ];
}
