import type { Flywheel } from "../../flywheel/open.ts";
import type { Status } from "../../flywheel/status.ts";
import type { CommandResult } from "../command.ts";
import { describeModel, describePolicy, percent, usd } from "../say.ts";

export async function runStatus(flywheel: Flywheel): Promise<CommandResult> {
  const status = await flywheel.status();
  return { json: status, text: describe(status) };
}

function describe(status: Status): readonly string[] {
  const { rows, labels, spend, champion, challenger, decisions, lastRound, next } = status;
  const budget = spend.budgetUsd === undefined ? "no limit" : `of ${usd(spend.budgetUsd)}`;
  return [
    `task      ${status.task}`,
    `rows      ${rows.ingested} ingested, ${rows.traffic} from traffic, ${rows.rejected} rejected`,
    `labels    ${labels.total}: ${labels.train} train, ${labels.calibrate} calibrate, ${labels.certify} certify`,
    `spent     ${usd(spend.spentUsd)} (${budget})${spend.reservedUsd > 0 ? `, ${usd(spend.reservedUsd)} in flight or in doubt` : ""}`,
    ...describeChampion(champion),
    ...(challenger ? [`challenger ${describeModel(challenger)}`] : []),
    `requests  ${decisions.total}${decisions.total > 0 ? `, ${percent(decisions.escalated / decisions.total)} escalated` : ""}`,
    ...(lastRound ? [`round ${lastRound.round}   ${lastRound.why}`] : []),
    `next      ${next.command} (${next.why})`,
  ];
}

function describeChampion(serving: Status["champion"]): readonly string[] {
  if (!serving) return ["champion  none: every request goes to the teacher"];
  const { card, policy, voided } = serving;
  return [
    `champion  ${describeModel(card)}`,
    ...describePolicy(policy).map((line) => `          ${line}`),
    ...(voided ? [`          VOID: ${voided}; every request goes to the teacher`] : []),
  ];
}
