import { resolve } from "node:path";
import type { ExportedModel } from "../../flywheel/export-model.ts";
import { type AnyFlywheel, isOfFields } from "../../flywheel/open-fields.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { requireNoField } from "../require-no-field.ts";
import { describeFields, describeModel } from "../say.ts";

type ExportOptions = { readonly folder: string; readonly model?: string; readonly field?: string };

export async function runExport(
  flywheel: AnyFlywheel,
  _context: CommandContext,
  { folder, model, field }: ExportOptions,
): Promise<CommandResult> {
  const directory = resolve(folder);
  if (isOfFields(flywheel)) {
    const { fields } = await flywheel.exportModel({ directory, modelId: model, field });
    return { json: { fields }, text: describeFields(fields, describe) };
  }
  requireNoField(field);
  const exported = await flywheel.exportModel({ directory, modelId: model });
  return { json: exported, text: describe(exported) };
}

const describe = ({ card, files, directory }: ExportedModel): readonly string[] => [
  describeModel(card),
  `wrote ${files.join(", ")} to ${directory}`,
];
