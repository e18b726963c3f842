import { type AnyFlywheel, isOfFields } from "../../flywheel/open-fields.ts";
import type { RoundOutcome } from "../../improve/run-round.ts";
import type { Champion } from "../../records.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { requireNoField } from "../require-no-field.ts";
import {
  describeCandidates,
  describeFields,
  describeModel,
  describePolicy,
  describeRemarks,
  estimate,
  shortId,
  usd,
} from "../say.ts";

export async function runImprove(
  flywheel: AnyFlywheel,
  { progress, signal }: CommandContext,
  { force }: { readonly force: boolean },
): Promise<CommandResult> {
  const work = { force, progress, signal };
  if (isOfFields(flywheel)) {
    const { fields } = await flywheel.improve(work);
    return { json: { fields }, text: describeFields(fields, describe) };
  }
  const outcome = await flywheel.improve(work);
  return { json: outcome, text: describe(outcome) };
}

function describe(outcome: RoundOutcome): readonly string[] {
  if (outcome.kind === "not-due") {
    const { newLabels, needed } = outcome;
    return [`no round is due: ${newLabels} new labels, ${needed} start one`, "--force turns the wheel all the same"];
  }
  const { round, challenger } = outcome;
  return [
    ...describeCandidates(round.candidates ?? []),
    `round ${round.round}: ${round.why}`,
    describeModel(challenger.card),
    ...describeRemarks(challenger.card),
    ...describePolicy(challenger.policy),
    `traffic since the last round: ${round.requests} requests, escalated ${estimate(round.escalated)}, ${usd(round.costUsd)}`,
  ];
}

/** @throws FlywheelError `field_of_one_output` where a field is named and the task has none */
export async function runRollback(
  flywheel: AnyFlywheel,
  _context: CommandContext,
  { field }: { readonly field?: string },
): Promise<CommandResult> {
  if (isOfFields(flywheel)) {
    const { fields } = await flywheel.rollback({ field });
    const status = await flywheel.status();
    const text = Object.entries(fields).map(
      ([name, champion]) => `${name}: ${describeRollback(champion, status.fields[name]?.champion?.voided)}`,
    );
    return { json: { fields }, text };
  }
  requireNoField(field);
  const champion = await flywheel.rollback();
  const { champion: serving } = await flywheel.status();
  return { json: champion, text: [describeRollback(champion, serving?.voided)] };
}

/** A model comes back with the certificate that it had: one that is void answers nothing. */
function describeRollback({ reason, modelId }: Champion, voided: string | undefined): string {
  const back = `${reason}: model ${shortId(modelId)}`;
  return voided === undefined
    ? `${back} serves now`
    : `${back} is the champion now, but its certificate is void (${voided}): every request goes to the teacher`;
}
