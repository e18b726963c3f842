import { type AnyFlywheel, type FieldsStatus, isOfFields } from "../../flywheel/open-fields.ts";
import type { Status } from "../../flywheel/status.ts";
import { isOneAnswer } from "../../one-answer.ts";
import type { CommandResult } from "../command.ts";
import { describeFields, describeModel, describePolicy, describeWarnings, percent, usd } from "../say.ts";

export async function runStatus(flywheel: AnyFlywheel): Promise<CommandResult> {
  if (isOfFields(flywheel)) {
    const status = await flywheel.status();
    return {
      json: status,
      text: [...describeShared(status), ...describeFields(status.fields, describeOwn), next(status)],
    };
  }
  const status = await flywheel.status();
  return { json: status, text: describe(status) };
}

function describe(status: Status): readonly string[] {
  const [task, rows, ...money] = describeShared(status);
  const { warnings, champion } = status;
  const [labels, ...others] = describeOwn({ ...status, warnings: [] });
  return [...describeWarnings(unsaid(warnings, champion)), task!, rows!, labels!, ...money, ...others, next(status)];
}

function describeShared({ task, rows, spend }: Pick<FieldsStatus, "task" | "rows" | "spend">): readonly string[] {
  const { requests, share } = spend.overBudget;
  const state = spend.isBudgetSpent ? "SPENT, no question reaches the teacher" : "not spent now";
  const overBudget = `${requests} requests (${percent(share)}) were handled by whenTeacherDown for it`;
  const touched = spend.isBudgetSpent || requests > 0 ? [`budget    ${state}; ${overBudget}`] : [];
  const budget = spend.budgetUsd === undefined ? "no limit" : `of ${usd(spend.budgetUsd)}`;
  return [
    `task      ${task}`,
    `rows      ${rows.ingested} ingested, ${rows.traffic} from traffic, ${rows.rejected} rejected`,
    `spent     ${usd(spend.spentUsd)} (${budget})${spend.reservedUsd > 0 ? `, ${usd(spend.reservedUsd)} in flight or in doubt` : ""}`,
    ...touched,
  ];
}

function describeOwn(status: Status): readonly string[] {
  const { warnings, labels, champion, challenger, decisions, lastRound, newReviews } = status;
  return [
    `labels    ${labels.total}: ${labels.train} train, ${labels.calibrate} calibrate, ${labels.certify} certify`,
    ...describeWarnings(unsaid(warnings, champion)),
    ...(newReviews > 0 ? [`reviews   ${newReviews} rows with human labels that no model was trained on yet`] : []),
    ...describeChampion(champion),
    ...(challenger ? [`challenger ${describeModel(challenger)}`] : []),
    `requests  ${decisions.total}${decisions.total > 0 ? `, ${percent(decisions.escalated / decisions.total)} escalated` : ""}`,
    ...(lastRound ? [`round ${lastRound.round}   ${lastRound.why}`] : []),
  ];
}

/** What the certificate below says by its own rows is not said twice. */
const unsaid = (warnings: readonly string[], champion: Status["champion"]): readonly string[] =>
  champion?.policy.warnings.some(isOneAnswer) ? [] : warnings;

const next = ({ next: { command, why } }: Pick<Status, "next">): string => `next      ${command} (${why})`;

function describeChampion(serving: Status["champion"]): readonly string[] {
  if (!serving) return ["champion  none: every request goes to the teacher"];
  const { card, policy, voided, promiseChanged } = serving;
  return [
    `champion  ${describeModel(card)}`,
    ...describePolicy(policy).map((line) => `          ${line}`),
    ...(voided ? [`          VOID: ${voided}; every request goes to the teacher`] : []),
    ...(promiseChanged ? [`          CONFIG CHANGED since it was certified: ${promiseChanged}`] : []),
  ];
}
