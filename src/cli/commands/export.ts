import { resolve } from "node:path";
import type { Flywheel } from "../../flywheel/open.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { describeModel } from "../say.ts";

export async function runExport(
  flywheel: Flywheel,
  _context: CommandContext,
  { folder, model }: { readonly folder: string; readonly model?: string },
): Promise<CommandResult> {
  const exported = await flywheel.exportModel({ directory: resolve(folder), modelId: model });
  return {
    json: exported,
    text: [describeModel(exported.card), `wrote ${exported.files.join(", ")} to ${exported.directory}`],
  };
}
