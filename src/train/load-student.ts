/** @file A trained model, loaded to predict, whatever kind of student it is. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Student } from "../contracts.ts";
import { FlywheelError, messageOf } from "../errors.ts";
import { isMissing } from "./download-part.ts";
import { cardFile, modelCorrupt, modelFile } from "./model-folder.ts";
import type { LoadOptions, ModelFiles } from "./trainer.ts";
import { loaderFor } from "./trainers.ts";

/** What of `card.json` says which files there are, and who opens them. */
const Card = z.object({
  inputKind: z.enum(["image", "text", "record"]),
  sha256: z.string(),
  files: z.record(z.string(), z.string()).default({}),
});

/**
 * Opens the model in `folder` (`store.models.folder(id)`).
 * @throws FlywheelError `model_missing`, or `model_corrupt` where its files are not those that training wrote
 */
export async function loadStudent(folder: string, options: LoadOptions): Promise<Student> {
  const files = await readModelFolder(folder);
  const { inputKind } = readCard(Card, files);
  const open = await loaderFor(inputKind);
  return await open(files, options);
}

/** Reads and checks every file. */
export async function readModelFolder(folder: string): Promise<ModelFiles> {
  const card = parseJson(folder, await readPart(folder, cardFile));
  const { sha256, files: others } = readCard(Card, { folder, card });
  const expected = { [modelFile]: sha256, ...others };
  const files = new Map<string, Uint8Array>();
  for (const [name, hash] of Object.entries(expected)) files.set(name, await readChecked(folder, name, hash));
  return { folder, card, files };
}

/** @throws FlywheelError `model_corrupt` where the card lacks what the schema asks for */
export function readCard<T extends z.ZodType>(
  schema: T,
  { folder, card }: Pick<ModelFiles, "folder" | "card">,
): z.output<T> {
  const parsed = schema.safeParse(card);
  if (parsed.success) return parsed.data;
  throw modelCorrupt(folder, `${cardFile} cannot be read: ${z.prettifyError(parsed.error)}`);
}

async function readChecked(folder: string, name: string, expected: string): Promise<Uint8Array> {
  const bytes = await readPart(folder, name);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 === expected) return bytes;
  throw modelCorrupt(folder, `${name} has SHA-256 ${sha256}, its card says ${expected}`);
}

async function readPart(folder: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, name));
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new FlywheelError("model_missing", `there is no ${name} in ${folder}`, {
      hint: "train again: the same data gives the same model",
      cause,
    });
  }
}

function parseJson(folder: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw modelCorrupt(folder, `${cardFile} cannot be read: ${messageOf(cause)}`, cause);
  }
}
