/** @file Trees as far as they have been fitted: what a training that was stopped goes on from. */

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const Round = z.object({ epoch: z.number(), loss: z.number(), accuracy: z.number() });
const Checkpoint = z.object({ isOver: z.boolean(), history: z.array(Round), ubj: z.base64() });

export type FittedRounds = Omit<z.output<typeof Checkpoint>, "ubj"> & {
  /** XGBoost's own format. */
  readonly ubj: Uint8Array;
};

const checkpointFile = "checkpoint.json";

export async function writeCheckpoint(workFolder: string, { ubj, ...rest }: FittedRounds): Promise<void> {
  await mkdir(workFolder, { recursive: true });
  const temporary = join(workFolder, `${checkpointFile}.tmp`);
  await writeFile(temporary, JSON.stringify({ ...rest, ubj: Buffer.from(ubj).toString("base64") }));
  await rename(temporary, join(workFolder, checkpointFile));
}

/** Nothing where there is none. */
export async function readCheckpoint(workFolder: string): Promise<FittedRounds | undefined> {
  try {
    const { ubj, ...rest } = Checkpoint.parse(JSON.parse(await readFile(join(workFolder, checkpointFile), "utf8")));
    return { ...rest, ubj: Buffer.from(ubj, "base64") };
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}
