import { resolve } from "node:path";
import type { Flywheel } from "../../flywheel/open.ts";
import type { CommandContext, CommandResult } from "../command.ts";

export async function runReport(
  flywheel: Flywheel,
  { signal, progress }: CommandContext,
  { out }: { readonly out?: string },
): Promise<CommandResult> {
  const files = await flywheel.report({ directory: out === undefined ? undefined : resolve(out), signal, progress });
  return {
    json: files,
    text: [
      files.headline,
      `report    ${files.htmlPath}`,
      `summary   ${files.summaryPath}`,
      `charts    ${files.pngPaths.length} PNG files beside it`,
    ],
  };
}
