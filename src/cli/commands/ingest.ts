import type { IngestWork } from "../../flywheel/open.ts";
import type { AnyFlywheel } from "../../flywheel/open-fields.ts";
import type { IngestSummary } from "../../ingest/ingest.ts";
import type { AnyTask } from "../../task.ts";
import { type CommandContext, type CommandResult, ExitCode } from "../command.ts";
import { describeWarnings, sayPrompt } from "../say.ts";

const shownRejections = 10;

export type IngestCommandOptions = Omit<IngestWork, "goldPath" | "requestsPath" | "header"> & {
  readonly header?: "yes" | "no";
  readonly gold?: string;
  readonly requests?: string;
};

export async function runIngest(
  flywheel: AnyFlywheel,
  { progress, signal }: CommandContext,
  { gold, requests, header, ...what }: IngestCommandOptions,
): Promise<CommandResult> {
  const summary = await flywheel.ingest({
    ...what,
    header: header && header === "yes",
    goldPath: gold,
    requestsPath: requests,
    progress,
    signal,
  });
  const text = [...describeWarnings(summary.warnings), ...describe(summary, flywheel.task), nextOf(summary)];
  return { json: summary, text, exitCode: isAllRejected(summary) ? ExitCode.failed : ExitCode.done };
}

const isAllRejected = ({ files, rejected }: IngestSummary): boolean => rejected === files;

function nextOf(summary: IngestSummary): string {
  if (isAllRejected(summary)) return "next: mend what was rejected and ingest again: nothing of it became a row";
  const { log } = summary;
  const isUntaught = Object.values(log?.fields ?? {}).some(({ answered }) => answered === 0);
  return log && log.fromTeacher > 0 && !isUntaught
    ? "next: `flywheel train` on the answers of the log; `flywheel label` asks for independent second ones"
    : "next: `flywheel plan`, then `flywheel label`";
}

function describe(summary: IngestSummary, { input }: AnyTask): readonly string[] {
  const { files, added, duplicates, unchanged, rejected, rejections, ignored, gold, splits, notes } = summary;
  const others = Object.entries(ignored).map(([extension, count]) => `${count} ${extension || "without extension"}`);
  return [
    `${files} ${input}s: ${added} new rows, ${duplicates} duplicates, ${unchanged} unchanged, ${rejected} rejected`,
    ...shown(
      rejections.map(({ source, code, message }) => `${source}: ${message} [${code}]`),
      rejected,
    ),
    ...(others.length > 0 ? [`ignored: ${others.join(", ")}`] : []),
    `splits: ${splits.train} train, ${splits.calibrate} calibrate, ${splits.certify} certify`,
    ...(gold ? describeGold(gold) : []),
    ...(summary.log ? describeLog(summary.log) : []),
    ...describeColumns(summary.columns ?? []),
    ...notes.map((note) => `note: ${note}`),
  ];
}

/** The first of `count` problems, and how many more there are. */
function shown(problems: readonly string[], count: number): readonly string[] {
  const first = problems.slice(0, shownRejections);
  const more = count - first.length;
  return [...first.map((problem) => `  ✗ ${problem}`), ...(more > 0 ? [`  … and ${more} more`] : [])];
}

function describeLog(log: NonNullable<IngestSummary["log"]>): readonly string[] {
  const {
    format,
    calls,
    answered,
    complete,
    fromTeacher,
    unreadable,
    other,
    models,
    prompts,
    failed,
    fields = {},
  } = log;
  const names = Object.entries(fields);
  const whole = names.length > 0 ? ` (${complete} in every field)` : "";
  return [
    `log (${format}): ${calls} calls of this task, ${answered} answers are labels${whole}, ${fromTeacher} of them the teacher's; ${failed > 0 ? `${failed} calls failed; ` : ""}${other} other calls`,
    `models: ${Object.entries(models)
      .map(([model, count]) => `${model} ${count}`)
      .join(", ")}`,
    ...names.map(([name, field]) => `  ${name}: ${field.answered} labels, ${field.unreadable} answers without one`),
    ...prompts
      .slice(0, shownPrompts)
      .map(({ prompt, calls: n, answered: m, isOurs }) => `  ${isOurs ? "✓" : "–"} ${m} of ${n}: ${sayPrompt(prompt)}`),
    ...(prompts.length > shownPrompts ? [`  … and ${prompts.length - shownPrompts} more prompts`] : []),
    ...(unreadable.count > 0
      ? [`${unreadable.count} answers ${names.length > 0 ? "leave a field without a label" : "mean no label"}:`]
      : []),
    ...shown(
      unreadable.first.map(({ source, text }) => `${source}: ${JSON.stringify(text)}`),
      unreadable.count,
    ),
  ];
}

const shownPrompts = 5;

type Columns = NonNullable<IngestSummary["columns"]>;

const shownColumns = 40;

function describeColumns(columns: Columns): readonly string[] {
  if (columns.length === 0) return [];
  const width = Math.min(40, Math.max(...columns.map(({ name }) => name.length)));
  return [
    "columns:",
    ...columns.slice(0, shownColumns).map((column) => `  ${column.name.padEnd(width)}  ${describeColumn(column)}`),
    ...(columns.length > shownColumns ? [`  … and ${columns.length - shownColumns} more`] : []),
  ];
}

function describeColumn({ role, type, format, leftOut, missing, distinct, isDistinctExact }: Columns[number]): string {
  const values = `${isDistinctExact ? "" : "over "}${distinct} different`;
  const what = leftOut ? "left out" : role === "feature" ? (format ?? type ?? "empty") : role;
  return [what, values, ...(missing > 0 ? [`${missing} missing`] : [])].join(", ");
}

function describeGold(gold: NonNullable<IngestSummary["gold"]>): readonly string[] {
  const { matched, unmatched, unknownLabels, conflicts } = gold;
  const problems = [
    ...unmatched.first.map(({ source, text }) => `${source}: no row ${text ? `for "${text}"` : "says the same"}`),
    ...unknownLabels.first.map(({ source, text }) => `${source}: "${text}" is no label of the task`),
    ...conflicts.first.map(({ source, text }) => `${source}: one row, two labels (${text}): neither measures`),
  ];
  const counts = `${unmatched.count} lines without a row, ${unknownLabels.count} with an unknown label`;
  const conflicting = conflicts.count === 0 ? "" : `, ${conflicts.count} that contradict another line`;
  return [
    `gold: ${matched} rows matched, ${counts}${conflicting}`,
    ...shown(problems, unmatched.count + unknownLabels.count + conflicts.count),
  ];
}
