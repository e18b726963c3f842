import { resolve } from "node:path";
import type { AnyFlywheel } from "../../flywheel/open-fields.ts";
import type { ReviewFormat } from "../../flywheel/review-files.ts";
import type { CommandContext, CommandResult } from "../command.ts";

type ReviewFile = { readonly path: string; readonly format: ReviewFormat };
export type ReviewExportOptions = ReviewFile & { readonly limit: number };
export type ReviewImportOptions = ReviewFile & { readonly person: string };

export async function runReviewExport(
  flywheel: AnyFlywheel,
  _context: CommandContext,
  { path, format, limit }: ReviewExportOptions,
): Promise<CommandResult> {
  const exported = await flywheel.exportReview({ path: resolve(path), format, limit });
  return {
    json: exported,
    text: [
      `${exported.items} rows to look at (${exported.audits} of them drawn uniformly, shown without a suggestion)`,
      ...exported.files.map((file) => `wrote ${file}`),
      `next: fill in the labels, then \`flywheel review import ${path}${format === "csv" ? "" : ` --format ${format}`}\``,
    ],
  };
}

const MAX_SHOWN = 20;

function describeDisagreements(all: Awaited<ReturnType<AnyFlywheel["importReview"]>>["disagreements"]) {
  if (all.length === 0) return [];
  const lines = all.slice(0, MAX_SHOWN).map(({ source, field, said, counts }) => {
    const opinions = said.map(({ person, value }) => `${person} says ${value}`).join(", ");
    return `  ${source}${field && ` (${field})`}: ${opinions}; ${counts} counts`;
  });
  const more = all.length > MAX_SHOWN ? [`  … and ${all.length - MAX_SHOWN} more`] : [];
  return [
    `people disagree about ${all.length} rows: the label that most give counts, of equals the latest`,
    ...lines,
    ...more,
  ];
}

export async function runReviewImport(
  flywheel: AnyFlywheel,
  _context: CommandContext,
  { path, format, person }: ReviewImportOptions,
): Promise<CommandResult> {
  const imported = await flywheel.importReview({ path: resolve(path), format, person });
  return {
    json: imported,
    text: [
      `${imported.recorded} rulings taken, ${imported.unchanged} known already, ${imported.blank} blank`,
      ...imported.problems.map(({ where, message }) => `  ✗ ${where}: ${message}`),
      ...describeDisagreements(imported.disagreements),
      "next: `flywheel train`, or `flywheel improve` where a champion serves",
    ],
  };
}
