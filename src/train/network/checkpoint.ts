/**
 * @file Where a training run stands, in one file: the trainer's state, the position, what has been measured. A run continued from it ends bit for bit where it would have ended.
 */

import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { FlywheelError, messageOf } from "../../errors.ts";
import { readSafetensors, type Safetensors, writeSafetensors } from "../../onnx/safetensors.ts";
import { isMissing } from "../download-part.ts";

const EpochRecord = z.object({ epoch: z.number(), loss: z.number(), accuracy: z.number() });
export type EpochRecord = Readonly<z.output<typeof EpochRecord>>;

const Position = z.object({
  /** Of the next step, both counted from 0. */
  epoch: z.number(),
  step: z.number(),
  /** Sums over the rows that this epoch has seen. */
  running: z.object({ loss: z.number(), correct: z.number(), rows: z.number() }),
  history: z.array(EpochRecord).readonly(),
  /** Of early stopping: the lowest held-out loss so far and its epoch. */
  best: z.object({ epoch: z.number(), loss: z.number() }).optional(),
});
export type Position = Readonly<z.output<typeof Position>>;

export const firstPosition: Position = { epoch: 0, step: 0, running: { loss: 0, correct: 0, rows: 0 }, history: [] };

export type Checkpoint = {
  readonly position: Position;
  /** Each under a prefix of its own: `trainer`, `best`. */
  readonly states: Readonly<Record<string, Safetensors>>;
};

/** Written beside, flushed, then renamed: a checkpoint that is there is whole. */
export async function writeCheckpoint(path: string, { position, states }: Checkpoint): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const tensors = Object.entries(states).flatMap(([prefix, state]) =>
    [...state.tensors].map(([name, value]) => [`${prefix}/${name}`, value] as const),
  );
  const metadata = Object.entries(states).flatMap(([prefix, state]) =>
    Object.entries(state.metadata).map(([name, value]) => [`${prefix}/${name}`, value] as const),
  );
  const bytes = writeSafetensors({
    tensors: new Map(tensors),
    metadata: { ...Object.fromEntries(metadata), position: JSON.stringify(position) },
  });
  const temporary = `${path}.tmp`;
  {
    await using file = await open(temporary, "w");
    await file.writeFile(bytes);
    await file.sync();
  }
  await rename(temporary, path);
}

/** `undefined` where there is none. @throws FlywheelError `checkpoint_corrupt` */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const bytes = await readOrMissing(path);
  if (bytes === undefined) return undefined;
  try {
    return parseCheckpoint(readSafetensors(bytes));
  } catch (cause) {
    throw new FlywheelError("checkpoint_corrupt", `${path} cannot be read: ${messageOf(cause)}`, {
      hint: "delete it to train from the start",
      cause,
    });
  }
}

function parseCheckpoint({ tensors, metadata }: Safetensors): Checkpoint {
  const position = Position.parse(JSON.parse(metadata["position"] ?? "null"));
  const prefixes = new Set([...tensors.keys()].map((name) => name.split("/", 1)[0] ?? ""));
  const part = <T>(entries: Iterable<readonly [string, T]>, prefix: string): [string, T][] =>
    [...entries].flatMap(([name, value]) =>
      name.startsWith(`${prefix}/`) ? [[name.slice(prefix.length + 1), value]] : [],
    );
  const states = [...prefixes].map((prefix): [string, Safetensors] => [
    prefix,
    {
      tensors: new Map(part(tensors, prefix)),
      metadata: Object.fromEntries(part(Object.entries(metadata), prefix)),
    },
  ]);
  return { position, states: Object.fromEntries(states) };
}

async function readOrMissing(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}
