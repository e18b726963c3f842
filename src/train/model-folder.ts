/**
 * @file A trained model on disk: `model.onnx` (everything needed to serve it, metadata included), `card.json`, and what
 * else its kind needs. The folder appears whole or not at all.
 */

import { createHash } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FlywheelError } from "../errors.ts";
import type { Model } from "../onnx/model.ts";
import { writeOnnx } from "../onnx/proto.ts";
import type { ImagePreprocessing, LabelValue, ModelCard, ModelId } from "../records.ts";

export const modelFile = "model.onnx";
export const cardFile = "card.json";

export type ModelFacts = {
  readonly id: ModelId;
  readonly classes: readonly LabelValue[];
  readonly preprocessing?: ImagePreprocessing | undefined;
  readonly dataHash: string;
  readonly trainer: string;
};

/** What other tools read from an ONNX file: Ultralytics' keys as it writes them, and our own as JSON (FORMATS §4). */
export function metadataOf({ id, classes, preprocessing, dataHash, trainer }: ModelFacts): Record<string, string> {
  return {
    task: "classify",
    names: pythonDictionary(classes),
    ...(preprocessing && imageMetadata(preprocessing)),
    "flywheel.model_id": JSON.stringify(id),
    "flywheel.trainer": JSON.stringify(trainer),
    "flywheel.labels": JSON.stringify(classes),
    "flywheel.data_hash": JSON.stringify(dataHash),
  };
}

function imageMetadata(preprocessing: ImagePreprocessing): Record<string, string> {
  const { size } = preprocessing;
  const imgsz = `[${size}, ${size}]`;
  return { imgsz, batch: "1", channels: "3", "flywheel.preprocessing": JSON.stringify(preprocessing) };
}

/** `{0: 'apple', 1: "cat's eye"}`, as Python's `str(dict)` writes it. */
export function pythonDictionary(values: readonly string[]): string {
  return `{${values.map((value, index) => `${index}: ${pythonString(value)}`).join(", ")}}`;
}

function pythonString(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escaped = value.replace(/[\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapedCharacter);
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}

function escapedCharacter(character: string): string {
  const short = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
}

export type ModelContent = {
  readonly model: Model;
  /** Further files by name. */
  readonly files?: ReadonlyMap<string, Uint8Array> | undefined;
  readonly card: Omit<ModelCard, "sizeBytes" | "sha256" | "files">;
};

/** Sizes and hashes of the files are filled in. Where the folder is there already, it stays as it is. */
export async function writeModelFolder(
  folder: string,
  { model, files = new Map(), card }: ModelContent,
): Promise<ModelCard> {
  const bytes = writeOnnx(model);
  const hashes = Object.fromEntries([...files].map(([name, content]) => [name, sha256Of(content)]));
  const sizeBytes = [...files.values()].reduce((sum, content) => sum + content.byteLength, bytes.byteLength);
  const complete: ModelCard = {
    ...card,
    sizeBytes,
    sha256: sha256Of(bytes),
    ...(files.size > 0 && { files: hashes }),
  };
  const temporary = `${folder}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  await writeFlushed(join(temporary, modelFile), bytes);
  for (const [name, content] of files) await writeOrLink(join(temporary, name), content);
  await writeFlushed(join(temporary, cardFile), `${JSON.stringify(complete, undefined, 2)}\n`);
  await renameFolder(temporary, folder);
  return complete;
}

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export function modelCorrupt(folder: string, why: string, cause?: unknown): FlywheelError {
  return new FlywheelError("model_corrupt", `the model in ${folder} is damaged: ${why}`, {
    hint: "delete this folder and train again: the same data gives the same model",
    cause,
  });
}

/** Bytes. To look for a smaller one costs more than to write it. */
const WORTH_LINKING = 2 ** 20;

/** What another model has as well, an encoder say, is one file under two names: ten rounds take the space of one. */
async function writeOrLink(path: string, content: Uint8Array): Promise<void> {
  if (content.byteLength >= WORTH_LINKING) {
    const models = dirname(dirname(path));
    for (const folder of await readdir(models)) {
      if (await linkIfSame(join(models, folder, basename(path)), path, content)) return;
    }
  }
  await writeFlushed(path, content);
}

/** No such file, or a file system that has no links. */
const unlinkable = new Set([
  "ENOENT",
  "ENOTDIR",
  "EXDEV",
  "EPERM",
  "EACCES",
  "EMLINK",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
]);

async function linkIfSame(from: string, to: string, content: Uint8Array): Promise<boolean> {
  try {
    if ((await stat(from)).size !== content.byteLength || !(await readFile(from)).equals(content)) return false;
    await link(from, to);
    return true;
  } catch (thrown) {
    if (unlinkable.has(String(codeOf(thrown)))) return false;
    throw thrown;
  }
}

const codeOf = (thrown: unknown): unknown => (thrown instanceof Error && "code" in thrown ? thrown.code : undefined);

async function writeFlushed(path: string, content: Uint8Array | string): Promise<void> {
  await using file = await open(path, "w");
  await file.writeFile(content);
  await file.sync();
}

async function renameFolder(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  try {
    await rename(from, to);
  } catch (thrown) {
    await rm(from, { recursive: true, force: true });
    const code = codeOf(thrown);
    // Another process has trained the same model from the same inputs.
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw thrown;
  }
}
