import { resolve } from "node:path";
import type { AnyFlywheel } from "../../flywheel/open-fields.ts";
import type { CommandContext, CommandResult } from "../command.ts";

export async function runReport(
  flywheel: AnyFlywheel,
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
