import { join } from "node:path";
import type { DemoData } from "../../demo/photo-source.ts";
import { runDemo as runWholeWheel } from "../../demo/run-demo.ts";
import type { CommandContext, CommandResult } from "../command.ts";

export async function runDemo(
  { dir, seed, clock, env, progress, signal, say }: CommandContext,
  { data, teacher }: { readonly data: DemoData; readonly teacher?: string },
): Promise<CommandResult> {
  const result = await runWholeWheel({
    directory: join(dir, "demo"),
    data,
    teacher,
    seed,
    clock,
    env,
    progress,
    signal,
    say,
  });
  return { json: result, text: [`report    ${result.htmlPath}`] };
}
