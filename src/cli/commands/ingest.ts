import type { Flywheel } from "../../flywheel/open.ts";
import type { IngestSummary } from "../../ingest/ingest.ts";
import type { CommandContext, CommandResult } from "../command.ts";

const shownRejections = 10;

export async function runIngest(
  flywheel: Flywheel,
  { progress, signal }: CommandContext,
  { path, gold }: { readonly path: string; readonly gold?: string },
): Promise<CommandResult> {
  const summary = await flywheel.ingest({ path, goldPath: gold, progress, signal });
  return { json: summary, text: [...describe(summary), "next: `flywheel plan`, then `flywheel label`"] };
}

function describe(summary: IngestSummary): readonly string[] {
  const { files, added, duplicates, unchanged, rejected, rejections, ignored, gold, splits } = summary;
  const others = Object.entries(ignored).map(([extension, count]) => `${count} ${extension || "without extension"}`);
  return [
    `${files} images: ${added} new rows, ${duplicates} duplicates, ${unchanged} unchanged, ${rejected} rejected`,
    ...rejections.slice(0, shownRejections).map(({ source, code, message }) => `  ✗ ${source}: ${message} [${code}]`),
    ...(rejected > shownRejections ? [`  … and ${rejected - shownRejections} more`] : []),
    ...(others.length > 0 ? [`ignored: ${others.join(", ")}`] : []),
    `splits: ${splits.train} train, ${splits.calibrate} calibrate, ${splits.certify} certify`,
    ...(gold ? describeGold(gold) : []),
  ];
}

function describeGold({ matched, unmatched, unknownLabels }: NonNullable<IngestSummary["gold"]>): readonly string[] {
  const problems = [
    ...unmatched.first.map(({ line, text }) => `  ✗ line ${line}: no row for "${text}"`),
    ...unknownLabels.first.map(({ line, text }) => `  ✗ line ${line}: "${text}" is no label of the task`),
  ];
  return [
    `gold: ${matched} rows matched, ${unmatched.count} lines without a row, ${unknownLabels.count} with an unknown label`,
    ...problems.slice(0, shownRejections),
  ];
}
