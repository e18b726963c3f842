/** @file Begins a workspace: a commented config, where there is none yet. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FlywheelError } from "../errors.ts";
import { configsIn } from "./config.ts";
import { configTemplate, type InputKind } from "./config-template.ts";

export type InitOptions = {
  /** What a row is; `image` where absent. */
  readonly input?: InputKind;
};

/** @returns the path written @throws FlywheelError `config_exists`, under whichever of its names */
export async function initWorkspace(directory: string, { input = "image" }: InitOptions = {}): Promise<string> {
  await mkdir(directory, { recursive: true });
  const [found] = await configsIn(directory);
  if (found !== undefined) {
    throw new FlywheelError("config_exists", `${found} exists already`, { hint: "edit it, or name another --dir" });
  }
  const path = join(directory, "flywheel.config.ts");
  await writeFile(path, configTemplate(input), { flag: "wx" });
  return path;
}
