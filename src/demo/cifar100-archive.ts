/**
 * @file Reads CIFAR-100's binary archive. `train.bin` and `test.bin` hold records of 3,074 bytes: coarse label, fine label,
 * then 1,024 bytes each of red, green and blue; `fine_label_names.txt` names the fine labels, one a line.
 */

import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import { Parser, type ReadEntry } from "tar";
import { FlywheelError, messageOf } from "../errors.ts";
import { FruitLabel } from "./fruit/compose.ts";

export type Cifar100Record = {
  readonly part: "train" | "test";
  /** Position in its file. */
  readonly number: number;
  readonly label: FruitLabel;
  /** `[32, 32, 3]`. */
  readonly rgb: Uint8Array;
};

const plane = 32 * 32;
const recordBytes = 2 + 3 * plane;
/** train.bin is 154 MB; a file that claims much more is not what we take it for. */
const maxFileBytes = 400_000_000;

/**
 * Every record of the five classes, in the order of the archive's files.
 * @throws FlywheelError `dataset_corrupt` where the archive is not a whole CIFAR-100
 */
export async function readFruitRecords(path: string, signal?: AbortSignal): Promise<readonly Cifar100Record[]> {
  // Two passes: the names need not come before the records, and holding the records back would take 180 MB.
  const [names] = await readEntries(path, ["fine_label_names.txt"], wholeText, signal);
  if (names === undefined) throw corrupt(path, "has no fine_label_names.txt");
  const labels = fruitByIndex(names, path);
  const parts = await readEntries(path, ["train.bin", "test.bin"], (entry) => fruitOf(entry, labels, path), signal);
  if (parts.length !== 2) throw corrupt(path, "lacks train.bin or test.bin");
  return parts.flat();
}

function fruitByIndex(names: string, path: string): ReadonlyMap<number, FruitLabel> {
  const lines = names.split("\n").map((line) => line.trim());
  return new Map(
    FruitLabel.map((label) => {
      const index = lines.indexOf(label);
      if (index < 0) throw corrupt(path, `names no class "${label}"`);
      return [index, label] as const;
    }),
  );
}

/** What `read` makes of each wanted entry, in the archive's order. */
async function readEntries<T>(
  path: string,
  wanted: readonly string[],
  read: (entry: ReadEntry) => Promise<T>,
  signal?: AbortSignal,
): Promise<T[]> {
  const results: Promise<T>[] = [];
  const onReadEntry = (entry: ReadEntry) => {
    if (!wanted.includes(basename(entry.path)) || entry.size > maxFileBytes) return entry.resume();
    const result = read(entry);
    // Awaited below, once the archive has been read to its end; a failure before that must not go unhandled.
    result.catch(() => undefined);
    results.push(result);
  };
  const parser = new Parser({ strict: true, onReadEntry });
  try {
    await pipeline(createReadStream(path), parser as unknown as NodeJS.WritableStream, { signal });
    return await Promise.all(results);
  } catch (cause) {
    signal?.throwIfAborted();
    throw FlywheelError.isInstance(cause) ? cause : corrupt(path, `cannot be read: ${messageOf(cause)}`, cause);
  }
}

async function wholeText(entry: ReadEntry): Promise<string> {
  return (await entry.concat()).toString("utf8");
}

async function fruitOf(
  entry: ReadEntry,
  labels: ReadonlyMap<number, FruitLabel>,
  path: string,
): Promise<Cifar100Record[]> {
  const part = basename(entry.path) === "train.bin" ? "train" : "test";
  const records: Cifar100Record[] = [];
  let number = 0;
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of entry) {
    const bytes = Buffer.concat([rest, chunk]);
    let at = 0;
    for (; at + recordBytes <= bytes.length; at += recordBytes, number++) {
      const label = labels.get(bytes[at + 1]!);
      if (label) records.push({ part, number, label, rgb: interleave(bytes.subarray(at + 2, at + recordBytes)) });
    }
    rest = bytes.subarray(at);
  }
  if (rest.length > 0) throw corrupt(path, `${part}.bin ends inside record ${number}`);
  return records;
}

/** Planes of red, green and blue to pixels. */
function interleave(planes: Uint8Array): Uint8Array {
  return Uint8Array.from(planes, (_, index) => planes[(index % 3) * plane + Math.floor(index / 3)]!);
}

function corrupt(path: string, what: string, cause?: unknown): FlywheelError {
  return new FlywheelError("dataset_corrupt", `${path} ${what}`, {
    hint: "delete the file and run the command again",
    ...(cause === undefined ? {} : { cause }),
  });
}
