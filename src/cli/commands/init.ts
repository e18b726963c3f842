import { type InitOptions, initWorkspace } from "../../flywheel/init.ts";
import type { CommandContext, CommandResult } from "../command.ts";

export async function runInit({ dir }: CommandContext, options: InitOptions): Promise<CommandResult> {
  const path = await initWorkspace(dir, options);
  return { json: { path }, text: [`wrote ${path}`, "next: edit it, then `flywheel ingest PATH`"] };
}
