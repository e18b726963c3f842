import { initWorkspace } from "../../flywheel/init.ts";
import type { CommandContext, CommandResult } from "../command.ts";

export async function runInit({ dir }: CommandContext): Promise<CommandResult> {
  const path = await initWorkspace(dir);
  return { json: { path }, text: [`wrote ${path}`, "next: edit it, then `flywheel ingest PATH`"] };
}
