/**
 * @file A trained model on disk: `model.onnx` (everything needed to serve it, metadata included) and `card.json`. The
 * folder appears whole or not at all.
 */

import { createHash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Model } from "../onnx/model.ts";
import { writeOnnx } from "../onnx/proto.ts";
import type { ImagePreprocessing, LabelValue, ModelCard, ModelId } from "../records.ts";

export const modelFile = "model.onnx";
export const cardFile = "card.json";

export type ModelFacts = {
  readonly id: ModelId;
  readonly classes: readonly LabelValue[];
  readonly preprocessing: ImagePreprocessing;
  readonly dataHash: string;
  readonly trainer: string;
};

/** What other tools read from an ONNX file: Ultralytics' keys as it writes them, and our own as JSON (FORMATS §4). */
export function metadataOf({ id, classes, preprocessing, dataHash, trainer }: ModelFacts): Record<string, string> {
  const { size } = preprocessing;
  return {
    task: "classify",
    names: pythonDictionary(classes),
    imgsz: `[${size}, ${size}]`,
    batch: "1",
    channels: "3",
    "flywheel.model_id": JSON.stringify(id),
    "flywheel.trainer": JSON.stringify(trainer),
    "flywheel.labels": JSON.stringify(classes),
    "flywheel.preprocessing": JSON.stringify(preprocessing),
    "flywheel.data_hash": JSON.stringify(dataHash),
  };
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

/** Size and SHA-256 of the model file are filled in. Where the folder is there already, it stays as it is. */
export async function writeModelFolder(
  folder: string,
  { model, card }: { readonly model: Model; readonly card: Omit<ModelCard, "sizeBytes" | "sha256"> },
): Promise<ModelCard> {
  const bytes = writeOnnx(model);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const complete: ModelCard = { ...card, sizeBytes: bytes.byteLength, sha256 };
  const temporary = `${folder}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  await writeFlushed(join(temporary, modelFile), bytes);
  await writeFlushed(join(temporary, cardFile), `${JSON.stringify(complete, undefined, 2)}\n`);
  await renameFolder(temporary, folder);
  return complete;
}

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
    const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
    // Another process has trained the same model from the same inputs.
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw thrown;
  }
}
