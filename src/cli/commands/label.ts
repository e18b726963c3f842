import type { Warned } from "../../flywheel/open.ts";
import { type AnyFlywheel, isOfFields } from "../../flywheel/open-fields.ts";
import { type LabelAgreement, labelAgreement } from "../../label/agreement.ts";
import type { FieldsLabelSummary, LabelQuality, LabelSummary } from "../../label/label-rows.ts";
import type { LabellingPlan, PassPlan, Range } from "../../label/plan-labelling.ts";
import { estimateTeacherAccuracy, type TeacherAccuracy } from "../../label/teacher-accuracy.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { describeFields, describeWarnings, estimate, usd } from "../say.ts";

export async function runPlan(flywheel: AnyFlywheel): Promise<CommandResult> {
  const plan = await flywheel.plan();
  return { json: plan, text: describePlan(plan) };
}

function describePlan(plan: LabellingPlan & Warned): readonly string[] {
  const { rows, passes, costUsd, durationMs, pricesAsOf, spentUsd, budget, notes } = plan;
  const duration = span(durationMs, (ms) => `${Math.ceil(ms / 60_000)} min`);
  return [
    ...describeWarnings(plan.warnings),
    `${rows} rows, prices as of ${pricesAsOf}`,
    ...passes.map(describePass),
    `in all: ${costUsd ? span(costUsd, usd) : "price unknown"}, about ${duration}; spent so far ${usd(spentUsd)}`,
    ...(budget
      ? [`budget: ${usd(budget.budgetUsd)}, left ${usd(budget.leftUsd)}; covers the plan: ${budget.covers}`]
      : []),
    ...notes.map((note) => `note: ${note}`),
    "nothing has been spent by this; next: `flywheel label`",
  ];
}

function describePass({ pass, model, rows, tokens, costUsd }: PassPlan): string {
  const count = (value: number) => Math.round(value).toLocaleString("en");
  const cost = costUsd ? `  ${span(costUsd, usd)}` : "";
  return `  pass ${pass}  ${model}  ${span(rows, count)} rows  ${span(tokens.input, count)} tokens in  ${span(tokens.output, count)} out${cost}`;
}

const span = ({ low, high }: Range, say: (value: number) => string): string =>
  say(low) === say(high) ? say(low) : `${say(low)} to ${say(high)}`;

export async function runLabel(
  flywheel: AnyFlywheel,
  { progress, signal }: CommandContext,
  { limit }: { readonly limit?: number },
): Promise<CommandResult> {
  if (isOfFields(flywheel)) {
    const summary = await flywheel.label({ limit, progress, signal });
    const text = [...describeRun(summary), ...describeFields(summary.fields, describeField), ...nextOf(summary)];
    return { json: summary, text };
  }
  const summary = await flywheel.label({ limit, progress, signal });
  const agreement = await labelAgreement(flywheel.store, flywheel.task);
  const teacherAccuracy = await estimateTeacherAccuracy(flywheel.store, flywheel.task);
  return {
    json: { ...summary, agreement, teacherAccuracy },
    text: [...describeSummary(summary), ...describeQuality(agreement, teacherAccuracy), ...nextOf(summary)],
  };
}

/** A run that was stopped, or that no answer came out of, has said how to go on. */
const nextOf = ({
  stopped,
  answers,
  deferred,
}: Pick<LabelSummary, "stopped" | "answers" | "deferred">): readonly string[] =>
  stopped || (deferred > 0 && answers.every((count) => count === 0))
    ? []
    : ["next: `flywheel review export review.csv`, or `flywheel train`"];

/** Agreement is never called accuracy: two passes may agree on the same mistake. */
function describeQuality(
  agreement: LabelAgreement | undefined,
  accuracy: TeacherAccuracy | undefined,
): readonly string[] {
  return [
    ...(agreement
      ? [`passes agree on ${estimate(agreement.observed)}${kappaOf(agreement)}; this is not accuracy`]
      : []),
    ...(agreement?.warning ? [`warning: ${agreement.warning}`] : []),
    ...(accuracy ? [`teacher's accuracy, estimated: ${estimate(accuracy)}`] : []),
  ];
}

const kappaOf = ({ kappa }: LabelAgreement): string => (kappa ? `, Cohen's κ ${kappa.value.toFixed(3)}` : "");

const shownFailures = 5;

const describeField = ({ labels, agreement, teacherAccuracy }: LabelQuality): readonly string[] => [
  describeCounts(labels),
  ...describeQuality(agreement, teacherAccuracy),
];

/** What a labelling run did, for people; also the demonstration's. */
export function describeSummary(summary: LabelSummary): readonly string[] {
  return describeRun(summary, describeCounts(summary.labels));
}

const describeCounts = ({ total, agreed, majority, split, single, person }: LabelQuality["labels"]): string =>
  `${total} labels: ${agreed} agreed, ${majority} by majority, ${split} split, ${single} single, ${person} by people`;

function describeRun(summary: LabelSummary | FieldsLabelSummary, counts?: string): readonly string[] {
  const { stopped, answers, failed, failures, deferred, trouble, inDoubt, simulated, costUsd, spentUsd } = summary;
  const passes = answers.map((count, index) => `${count} in pass ${index + 1}`).join(", ");
  return [
    ...(simulated ? ["the teacher is SIMULATED"] : []),
    `${answers.reduce((sum, count) => sum + count, 0)} answers (${passes}) for ${usd(costUsd)}; spent in all ${usd(spentUsd)}`,
    ...(counts === undefined ? [] : [counts]),
    ...(failed > 0 ? [`${failed} passes ended without a valid answer:`] : []),
    ...failures.slice(0, shownFailures).map((failure) => `  ✗ ${JSON.stringify(failure)}`),
    ...(deferred > 0 ? [`${deferred} passes were put off: ${trouble?.message}; run \`flywheel label\` again`] : []),
    ...(inDoubt.requests > 0
      ? [
          `${inDoubt.requests} requests of a killed run were in doubt (at most ${usd(inDoubt.maxCostUsd)}); asked again under the same key`,
        ]
      : []),
    ...(stopped === "budget" ? ["stopped: the budget is used up; raise budgetUsd and run it again"] : []),
    ...(stopped === "interrupted" ? ["interrupted: run it again to resume"] : []),
  ];
}
